// What the tensor type ids of a file mean: several programs have given the numbers 36 to 43
// different meanings, so the bytes that a tensor really occupies decide, not the number. And what
// the types that this program does not read are called.
#pragma once

#include <cstdint>

#include "core/result.h"
#include "kernels/tensor_type.h"

namespace bankai::model {

// The bytes a tensor occupies, as the offsets in the file tell.
struct TensorExtent {
  std::uint64_t weights = 0;
  std::uint64_t bytes = 0;      // to the next tensor, or to the end of the file
  std::uint64_t alignment = 0;  // `bytes` includes the padding up to a multiple of it,
  bool is_last = false;         // which the last tensor may lack
};

// Could a tensor of blocks of `block_weights` weights in `block_bytes` bytes, with `trailer_bytes`
// behind the last one, occupy this extent?
bool fits(const TensorExtent& extent, std::uint64_t block_weights, std::uint64_t block_bytes,
          std::uint64_t trailer_bytes = 0);
inline bool fits(const TensorExtent& extent, const kernels::TensorTypeInfo& type) {
  return fits(extent, type.block_weights, type.block_bytes, type.trailer_bytes);
}

// The types of one file's tensors. Id 42 is Q2_0, or PQ2_0 in files of the first Prism converter:
// the one of them whose blocks fit the extents of all tensors with this id. (One tensor alone may
// not tell: padding hides two bytes in 36, and a file cut short can end where the other would.)
class TypeIds {
 public:
  // To be called for every tensor of the file before the first resolve.
  void add(std::uint32_t id, const TensorExtent& extent);

  // kUnsupported for an id that is not in kernels::kTensorTypes, or id 42 with an extent that is
  // neither or could be both: its name and dialect where they are known, and what can be done. The
  // caller adds file and tensor.
  Result<kernels::TensorType> resolve(std::uint32_t id, const TensorExtent& extent) const;

 private:
  bool all_fit_q2_0_ = true;
  bool all_fit_pq2_0_ = true;
};

}  // namespace bankai::model
