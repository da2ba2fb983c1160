// A loaded model: hyper-parameters, weights in the mapped file, tokenizer. Read-only and shareable.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bit_matrix.h"
#include "core/result.h"
#include "core/tensor_address.h"
#include "kernels/matmul.h"
#include "model/gguf_file.h"
#include "model/hyperparameters.h"
#include "model/tokenizer.h"

namespace bankai::model {

// A weight matrix in its file layout (rows = outputs, cols = inputs), not owned.
struct WeightMatrix {
  TensorAddress address;
  kernels::WeightRows weights;
};

struct LayerWeights {
  std::vector<float> attention_norm;  // (embedding)
  std::vector<float> query_norm;      // (head_dim)
  std::vector<float> key_norm;        // (head_dim)
  std::vector<float> ffn_norm;        // (embedding)
  WeightMatrix query, key, value, output, gate, up, down;
};

class Model {
 public:
  // Maps the file and checks every tensor's name, shape and type against the hyper-parameters.
  // Errors: those of GgufFile, read_hyperparameters and Tokenizer; kBadInput with the tensor, the
  // shape found and the shape expected; kUnsupported for widths that are no multiple of 128.
  static Result<std::unique_ptr<Model>> load(const std::string& path);
  // The same from an opened file.
  static Result<std::unique_ptr<Model>> from_file(GgufFile file);

  const GgufFile& file() const { return file_; }
  const Hyperparameters& parameters() const { return parameters_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const WeightMatrix& embedding() const { return embedding_; }
  // The head; the embedding itself for tied models.
  const WeightMatrix& head() const { return tied_ ? embedding_ : head_; }
  bool is_tied() const { return tied_; }
  const LayerWeights& layer(std::size_t index) const { return layers_[index]; }
  const std::vector<float>& output_norm() const { return output_norm_; }

  // The matrix at an address; nullptr if the model has none there.
  const WeightMatrix* find_matrix(TensorAddress address) const;
  // The bits of a Q1_0 matrix; nullopt if there is no such matrix or it has another type.
  std::optional<BitMatrixView> bit_matrix(TensorAddress address) const;
  // All Q1_0 matrices in canonical order.
  std::vector<TensorAddress> bit_matrix_addresses() const;

 private:
  explicit Model(GgufFile file) : file_(std::move(file)) {}
  Status bind();
  Status bind_layer(std::size_t index);
  Result<std::vector<float>> read_vector(const std::string& name, std::size_t size) const;
  Result<WeightMatrix> find_weights(TensorAddress address, std::size_t rows,
                                    std::size_t cols) const;

  GgufFile file_;
  Hyperparameters parameters_;
  std::optional<Tokenizer> tokenizer_;
  bool tied_ = false;
  WeightMatrix embedding_, head_;
  std::vector<float> output_norm_;
  std::vector<LayerWeights> layers_;
};

}  // namespace bankai::model
