// A second forward pass of Qwen3, Llama and both BitNet architectures, to compare the program's
// with: double precision throughout, the C library's functions, weights widened exactly,
// activations as they are. Written from the description of the architecture alone; it shares no
// arithmetic with model/ and kernels/. Slow and plain on purpose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "model/gguf_file.h"
#include "tests/support/reference_rope.h"

namespace bankai::testing {

struct ReferenceOptions {
  // Columns per scale of 8-bit activations in front of matrices that are not floats, everything
  // else exact: what such a definition costs. 0: activations are not rounded.
  std::size_t int8_group_cols = 0;
};

class ReferenceTransformer {
 public:
  using Vector = std::vector<double>;

  // Reads all weights. Throws std::runtime_error for a file that is not a complete model.
  explicit ReferenceTransformer(const model::GgufFile& file, ReferenceOptions options = {});

  std::size_t vocabulary() const { return embedding_.rows; }
  // The logits after each token, (tokens, vocabulary).
  std::vector<double> logits(std::span<const std::int32_t> tokens) const;

  // Where a layer's values can be changed on their way, for finite differences: (tokens, width).
  // "…_normed" are query and key after their norms, hidden is activation(gate) · up.
  using Change = std::function<void(std::size_t layer, const std::string& point, Vector& values)>;
  std::vector<double> logits(std::span<const std::int32_t> tokens, const Change& change) const;

 private:
  struct Matrix {
    std::size_t rows = 0;
    std::size_t cols = 0;
    bool has_integer_weights = false;
    std::vector<float> weights;  // (rows, cols); every stored type fits a float exactly
    double scale = 1.0;          // of all weights
  };
  struct Layer {
    Vector attention_norm, ffn_norm;
    Vector query_norm, key_norm;              // Qwen3
    Vector query_bias, key_bias, value_bias;  // Qwen2
    Vector attention_sub_norm, sub_norm;      // BitNet
    Matrix query, key, value, output, gate, up, down;
  };

  Vector multiply(const Matrix& matrix, Vector x) const;
  void round_to_int8(Vector& x) const;
  static Vector biased(Vector x, const Vector& bias);
  Vector normalise(const Vector& x, const Vector& weight) const;
  Vector attend(const Vector& query, const Vector& key, const Vector& value) const;
  double activation(double gate) const;
  void add_layer(std::size_t index, const Change& change, Vector& x) const;

  ReferenceOptions options_;
  bool squares_relu_ = false;
  std::size_t num_heads_ = 0;
  std::size_t num_kv_heads_ = 0;
  std::size_t head_dim_ = 0;
  double epsilon_ = 0.0;
  ReferenceRope rope_;
  Matrix embedding_, head_;
  Vector output_norm_;
  std::vector<Layer> layers_;
};

// KL(p ‖ q) in nats of the distributions that two rows of logits stand for.
double kl_divergence(std::span<const double> p_logits, std::span<const double> q_logits);

}  // namespace bankai::testing
