// Tensors of floats that are 1-bit or ternary weights in fact: in every group of columns all
// numbers are ± one magnitude, or that and +0. Such a tensor is its signs (or trits) and its
// magnitudes. Numbers count by their bits, so everything comes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/result.h"
#include "packer/tensor_parts.h"

namespace bankai::packer {

// The form in which a tensor of floats has such groups, of 128 columns or of 64; nullopt if it has
// none. REQUIRES: F32, F16 or BF16; shape.bytes of data.
std::optional<TensorSplit> find_float_groups(const TensorShape& shape,
                                             std::span<const std::byte> data, int threads);

// Which groups, and elements, a part's block has: [first, first + count).
struct FloatRun {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

// The magnitudes of groups, as wide as the tensor's numbers, without sign.
void read_magnitudes(const TensorShape& shape, const TensorSplit& split,
                     std::span<const std::byte> data, FloatRun groups,
                     std::span<std::byte> logical);
// Fills whole groups with them.
void write_magnitudes(const TensorShape& shape, const TensorSplit& split,
                      std::span<const std::byte> logical, FloatRun groups,
                      std::span<std::byte> data);

// The signs of elements as the content of a part has them: bits (1: +) or trits. REQUIRES: whole
// groups.
void read_signs(const TensorShape& shape, const TensorSplit& split, std::span<const std::byte> data,
                FloatRun elements, std::span<std::byte> logical);
// Applies them to the magnitudes that are there.
void write_signs(const TensorShape& shape, const TensorSplit& split,
                 std::span<const std::byte> logical, FloatRun elements, std::span<std::byte> data);

}  // namespace bankai::packer
