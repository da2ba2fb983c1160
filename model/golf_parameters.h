// The sizes and rules of a parameter-golf model: a small transformer with U-Net skips and recurrent
// depth, whose weights are ternary or binary. Its files hold tensors alone, so that what does not
// follow from their shapes is a field here, with a default for each family of files. The
// architecture: docs/formats/golf.md.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/result.h"

namespace bankai::model {

enum class GolfSoftCap { kNone, kTanh, kPolynomial };

struct GolfParameters {
  // From the shapes.
  std::size_t vocabulary = 0;
  std::size_t embedding = 0;        // width of the residual stream
  std::size_t token_embedding = 0;  // width of the token table; equal, or smaller if factored
  std::size_t heads = 0;
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  std::size_t hidden = 0;
  std::size_t blocks = 0;  // pass e runs block e mod blocks
  std::size_t passes = 0;  // the first passes / 2 are the encoder
  std::size_t skips = 0;   // rows of skip weights

  // By family, or set by name.
  std::size_t context = 1024;
  double eps = 0x1p-23;  // of every norm; 2^-7 where norms ran in bfloat16
  double rope_base = 10000.0;
  double yarn_factor = 1.0;  // frequencies are divided by up to this; 1: plain RoPE
  GolfSoftCap soft_cap = GolfSoftCap::kTanh;
  double soft_cap_limit = 30.0;
  double leak = 0.0;                   // slope below 0 in front of the square; 0 is relu squared
  bool quantizes_activations = false;  // 8 bits per token in front of every block matrix
  bool normalizes_projection_inputs = false;  // a norm in front of the two output projections

  std::size_t encoder_passes() const { return passes / 2; }
};

// Sets a field by "NAME=VALUE": context, eps, rope-base, yarn, soft-cap (tanh:30, poly:10, none),
// leak, passes, quantize-activations (0 or 1), normalize-projections (0 or 1). Errors: kUsage.
Status set_golf_parameter(GolfParameters& parameters, std::string_view setting);

// kBadInput for sizes that do not belong together (heads that do not divide, an odd head, passes
// that do not match the skips). Sizes are bounded so that their products do not overflow.
Status check_golf_parameters(const GolfParameters& parameters);

}  // namespace bankai::model
