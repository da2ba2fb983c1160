// A loaded model: hyper-parameters, tokenizer, weights in the mapped file and, packed for the
// kernels, in memory of their own. Read-only and shareable.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/bit_matrix.h"
#include "core/result.h"
#include "core/tensor_address.h"
#include "model/gguf_file.h"
#include "model/hyperparameters.h"
#include "model/tokenizer.h"
#include "model/weight_binder.h"
#include "model/weight_matrix.h"
#include "model/weight_panels.h"

namespace bankai::model {

struct LayerWeights {
  std::vector<float> attention_norm;      // (embedding)
  std::vector<float> query_norm;          // (head_dim); empty where Hyperparameters has no QK norm
  std::vector<float> key_norm;            // (head_dim)
  std::vector<float> attention_sub_norm;  // (query_dim); empty where it has no sub-norms
  std::vector<float> query_bias;          // (query_dim); empty where it has no biases
  std::vector<float> key_bias;            // (kv_dim)
  std::vector<float> value_bias;          // (kv_dim)
  std::vector<float> ffn_norm;            // (embedding)
  std::vector<float> ffn_sub_norm;        // (feed_forward); empty as above
  WeightMatrix query, key, value, output, gate, up, down;
};

// Where a model's weights are, for evaluations of other weights in their place.
struct WeightPlaces {
  std::vector<WeightMatrix*> matrices;  // layer by layer, then the embedding, then an untied head
  std::vector<std::pair<std::string, std::vector<float>*>> vectors;  // by tensor name
};

class Model {
 public:
  // Maps the file, checks every tensor's name, shape and type against the hyper-parameters, and
  // packs the weights for the kernels. Errors: those of GgufFile, read_hyperparameters,
  // WeightBinder, Tokenizer and pack_weights.
  static Result<std::unique_ptr<Model>> load(const std::string& path,
                                             const LoadOptions& options = {});
  // The same from an opened file.
  static Result<std::unique_ptr<Model>> from_file(GgufFile file, const LoadOptions& options = {});

  const GgufFile& file() const { return file_; }
  const Hyperparameters& parameters() const { return parameters_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const WeightMatrix& embedding() const { return embedding_; }
  // The head; the embedding itself for tied models.
  const WeightMatrix& head() const { return tied_ ? embedding_ : head_; }
  bool is_tied() const { return tied_; }
  // Whether a product reads weights that are not packed.
  bool has_float_matrices() const { return has_float_matrices_; }
  const LayerWeights& layer(std::size_t index) const { return layers_[index]; }
  const std::vector<float>& output_norm() const { return output_norm_; }

  // For LoadOptions::panels_name of other processes; empty unless loaded with `share`.
  const std::string& panels_name() const { return panels_.name(); }
  // What whoever loads the model should know, one line each.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // The matrix at an address; nullptr if the model has none there.
  const WeightMatrix* find_matrix(TensorAddress address) const;
  // Whoever changes what the places hold restores it, keeps the shapes, owns the memory that other
  // matrices point into and packs them (pack_weights); nothing else may use the model meanwhile.
  // Products keep float activations from now on.
  WeightPlaces weight_places();
  // The bits of a Q1_0 matrix; nullopt if there is no such matrix or it has another type.
  std::optional<BitMatrixView> bit_matrix(TensorAddress address) const;
  // All Q1_0 matrices in canonical order.
  std::vector<TensorAddress> bit_matrix_addresses() const;

 private:
  explicit Model(GgufFile file) : file_(std::move(file)) {}
  Status bind(const LoadOptions& options);
  Status bind_frequency_factors(const WeightBinder& binder);
  Status bind_layer(WeightBinder& binder, std::size_t index);
  Status pack(const LoadOptions& options);
  std::vector<WeightMatrix*> layer_matrices();

  GgufFile file_;
  Hyperparameters parameters_;
  std::optional<Tokenizer> tokenizer_;
  bool tied_ = false;
  bool has_float_matrices_ = false;
  WeightMatrix embedding_, head_;
  std::vector<float> output_norm_;
  std::vector<LayerWeights> layers_;
  // The tensors of the layers' vectors: their names, and where they are.
  struct VectorPlace {
    std::string name;
    std::size_t layer = 0;
    std::vector<float> LayerWeights::*vector = nullptr;
  };
  std::vector<VectorPlace> vector_places_;
  RearrangedTensors rearranged_;  // what matrices point into that are not as the file has them
  std::vector<std::string> warnings_;
  PageMemory panels_;  // what the matrices' panels point into
};

}  // namespace bankai::model
