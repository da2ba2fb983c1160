// Tensor type ids that this program does not read: what they are called, and which of the layouts
// that share one id a tensor has. Several programs have given the numbers 39 to 43 different
// meanings, so the bytes that a tensor really occupies decide, not the number.
#pragma once

#include <cstdint>

#include "core/result.h"

namespace bankai::model {

// The bytes a tensor occupies, as the offsets in the file tell.
struct TensorExtent {
  std::uint64_t weights = 0;
  std::uint64_t bytes = 0;      // to the next tensor, or to the end of the file
  std::uint64_t alignment = 0;  // `bytes` includes the padding up to a multiple of it,
  bool is_last = false;         // which the last tensor may lack
};

// Could a tensor of blocks of `block_weights` weights in `block_bytes` bytes occupy this extent?
bool fits(const TensorExtent& extent, std::uint64_t block_weights, std::uint64_t block_bytes);

// The error for a tensor whose type id is not in kernels::kTensorTypes (kUnsupported): its name and
// dialect where they are known, and what can be done. The caller adds file and tensor.
Error unsupported_type(std::uint32_t id, const TensorExtent& extent);

}  // namespace bankai::model
