// The numbers that define a transformer, read from a model file's metadata and checked against each
// other.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/architecture.h"
#include "model/gguf_file.h"

namespace bankai::model {

enum class RopeScaling { kNone, kLinear, kYarn };

// Rotary position embedding.
struct RopeParameters {
  std::size_t dimensions = 0;  // rotated elements of a head, even
  bool neighbours = false;     // pairs (2i, 2i + 1), not NeoX's (i, i + dimensions / 2)
  double freq_base = 10000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;            // positions are interpolated by 1 / factor
  double original_context = 0.0;  // YaRN: the context of training, in tokens
  double attention_factor = 1.0;  // YaRN: further factor of cos and sin
  double beta_fast = 32.0;        // YaRN: rotations over the original context …
  double beta_slow = 1.0;         // … between which interpolation fades out
  // Each pair's frequency is divided by its factor (rope_freqs.weight, as Llama 3 scales); none: 1.
  std::vector<float> frequency_factors;
};

struct Hyperparameters {
  std::string architecture;  // one of kArchitectures, which gives the next four, and
                             // rope.neighbours
  Activation activation = Activation::kSilu;
  bool has_qk_norm = true;
  bool has_sub_norms = false;
  bool has_biases = false;
  std::size_t num_layers = 0;
  std::size_t embedding = 0;  // width of the residual stream
  std::size_t feed_forward = 0;
  std::size_t num_heads = 0;
  std::size_t num_kv_heads =
      0;  // divides num_heads; query head h reads kv head h / (num_heads / num_kv_heads)
  std::size_t head_dim = 0;
  std::size_t vocabulary = 0;
  std::size_t context = 0;  // tokens the model declares it was made for
  float rms_epsilon = 1e-6F;
  RopeParameters rope;

  std::size_t query_dim() const { return num_heads * head_dim; }
  std::size_t kv_dim() const { return num_kv_heads * head_dim; }
};

// Errors name file and key: kUnsupported (another architecture, a rotation or scaling that is not
// implemented, a bias that the architecture does not have), kBadInput (missing, zero, absurd or
// contradictory numbers). The frequency factors, which are a tensor, are left out.
Result<Hyperparameters> read_hyperparameters(const GgufFile& file);

}  // namespace bankai::model
