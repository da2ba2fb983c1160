// What a tensor may lose: the steps from its exact content to fewer bytes. A step gives another
// tensor of the same shape, of a type that stock tools load; the codecs then find the fewer bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/matmul.h"

namespace bankai::packer {

// Weights rounded to another type: one-bit and ternary ones with a scale for every block.
struct LossyEncoding {
  kernels::TensorType type = kernels::TensorType::kQ1_0;
  unsigned code_bits = 8;  // of Q8_0

  bool operator==(const LossyEncoding&) const = default;
};

// The parts of a step, in the order in which they are done; by default none.
struct LossyStep {
  std::optional<LossyEncoding> encoding = std::nullopt;
  bool drops_unused_rows = false;  // of token tables: their blocks removed
  // So many 64ths of the blocks are removed (scale and codes zero): those of the least effect.
  unsigned pruned_64ths = 0;
  // One scale for all blocks of a row: the mean that weighs each block by its effect.
  bool shares_row_scales = false;
  // Mantissa bits that scales keep, or the numbers of a tensor of floats; ties to even.
  std::optional<unsigned> mantissa_bits = std::nullopt;

  bool operator==(const LossyStep&) const = default;
  bool is_exact() const {
    return !encoding && !drops_unused_rows && pruned_64ths == 0 && !shares_row_scales &&
           !mantissa_bits;
  }
};

// "exact", "Q8_0 at 5 bits", "1/8 pruned, scales of 4 bits", …
std::string step_name(const LossyStep& step);

// What a tensor is for.
enum class TensorRole : std::uint8_t {
  kMatrix,
  kTokenTable,  // a row per token of the vocabulary: embedding, head
  kOther,       // vectors of norms, tensors that the model does not use
};

// The steps for a tensor, the exact one first. Token tables are never pruned by effect: the text
// that effects are measured on says nothing of the tokens that it lacks. `drop_unused_rows`: they
// may lose the rows of these tokens.
std::vector<LossyStep> lossy_steps(const kernels::WeightRows& tensor, TensorRole role,
                                   bool drop_unused_rows);

}  // namespace bankai::packer
