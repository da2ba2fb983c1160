// Other weights in a model's place, for an evaluation: tensors of its file are put aside, changed
// ones multiply instead, until they are restored.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "core/page_memory.h"
#include "core/result.h"
#include "model/model.h"
#include "packer/lossy_tensor.h"

namespace bankai::packer {

// Stages of a forward pass: 0 the embedding, 1 … the layers, then output norm and head. A stage
// reads the tensors of stage_tensors() and no others.
class WeightExchange {
 public:
  // The model must outlive the object, and serve nobody else while weights are exchanged.
  WeightExchange(model::Model& model, int threads);
  ~WeightExchange() { restore(); }
  WeightExchange(const WeightExchange&) = delete;
  WeightExchange& operator=(const WeightExchange&) = delete;

  std::size_t num_stages() const { return stages_.size(); }
  // Indices in the file's list, ascending. A tied embedding is in the first and the last stage.
  const std::vector<std::size_t>& stage_tensors(std::size_t stage) const { return stages_[stage]; }
  // A matrix, a token table, or anything else.
  TensorRole role(std::size_t tensor) const { return roles_[tensor]; }
  // The model's matrices in a tensor: several in one of fused matrices.
  struct Part {
    TensorAddress address;
    std::size_t first_row = 0;  // in the tensor
  };
  std::vector<Part> parts(std::size_t tensor) const;

  // Errors: those of pack_weights. REQUIRES: the tensor is in a stage and not exchanged already;
  // the change has its shape.
  Status put(std::size_t tensor, LossyTensor change);
  void restore();

 private:
  struct MatrixUse {
    model::WeightMatrix* matrix = nullptr;
    std::size_t first_row = 0;
  };
  struct Use {  // of a tensor by the model
    std::vector<MatrixUse> matrices;
    std::vector<float>* vector = nullptr;
  };
  void find_matrices(std::size_t tensor, const std::vector<model::WeightMatrix*>& all);
  void add_to_stages(std::size_t tensor);

  struct Exchanged {
    LossyTensor change;
    PageMemory panels;
    std::vector<std::pair<model::WeightMatrix*, model::WeightMatrix>> matrices;  // as they were
    std::vector<float>* vector = nullptr;
    std::vector<float> old_vector;
  };

  model::Model& model_;
  int threads_;
  std::vector<Use> uses_;  // by tensor
  std::vector<TensorRole> roles_;
  std::vector<std::vector<std::size_t>> stages_;
  std::vector<std::unique_ptr<Exchanged>> exchanged_;
};

}  // namespace bankai::packer
