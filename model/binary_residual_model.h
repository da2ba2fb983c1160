// Binary models with a float residual: every matrix is ±1, sums get a scale and an offset per
// channel and become signs again, except where they are added to the residual. Kept in GGUF files
// of our own architecture "bankai-binary". What is computed, and which rules are guesses about the
// models that it stands for: docs/formats/binary_residual.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/result.h"
#include "model/binary_model.h"
#include "model/gguf_file.h"
#include "model/pointer_attention.h"

namespace bankai::model {

inline constexpr const char* kBinaryResidualArchitecture = "bankai-binary";

// Everything that is not known of the published models; each is a key of the file.
struct BinaryResidualRules {
  bool parallel_block = false;          // attention and feed-forward from the same norm
  bool offset_before_scale = false;     // scale · (sum + offset) instead of scale · sum + offset
  bool divide_by_root = false;          // sums are divided by sqrt(columns) first
  TieRule tie = TieRule::kEarliest;     // of attention
  std::uint32_t slope_denominator = 1;  // slopes are integers over this
  float epsilon = 1e-5F;                // of the norms
};

struct BinaryChannels {
  BinaryMatrix weights;
  std::vector<float> scale;   // (rows)
  std::vector<float> offset;  // (rows)
};

struct BinaryResidualLayer {
  std::vector<float> attention_norm;     // (width)
  std::vector<float> feed_forward_norm;  // (width); empty in a parallel block
  BinaryChannels q, k, v, o, gate, up, down;
};

struct BinaryResidualModel {
  BinaryShape shape;  // width and feed_forward are multiples of 128
  BinaryResidualRules rules;
  std::vector<std::int32_t> slopes;  // (heads)
  std::vector<float> embedding;      // (vocabulary, width)
  std::vector<BinaryResidualLayer> layers;
  std::vector<float> output_norm;  // (width)
  BinaryChannels output;           // (vocabulary, width)
};

// Errors: kBadInput or kUnsupported, naming file and key or tensor.
Result<BinaryResidualModel> read_binary_residual(const GgufFile& file);

// Errors: those of GgufBuilder and AtomicFile. REQUIRES: parts of the sizes that the shape says.
Status write_binary_residual(const BinaryResidualModel& model, const std::string& path,
                             Overwrite overwrite);

// Random weights; a pure function of its arguments.
BinaryResidualModel random_binary_residual(const BinaryShape& shape,
                                           const BinaryResidualRules& rules, std::uint64_t seed);

}  // namespace bankai::model
