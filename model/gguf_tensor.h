// A tensor of a GGUF file, and the reading of all of them: names, shapes, types, and the one layout
// that the format allows (each tensor follows the one before it, padded to the alignment).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/byte_reader.h"
#include "core/result.h"
#include "kernels/tensor_type.h"

namespace bankai::model {

inline constexpr std::size_t kGgufMaxNameBytes = 64;
inline constexpr std::uint32_t kGgufMaxDims = 4;
inline constexpr std::uint64_t kGgufMaxBytes = std::uint64_t{1} << 62U;  // sums cannot wrap
inline constexpr std::uint64_t kGgufMaxDim = 0x7fffffff;  // so that rows and columns fit an int

struct GgufTensor {
  std::string_view name;
  kernels::TensorType type = kernels::TensorType::kF32;
  std::uint32_t type_id = 0;  // as written in the file
  // Fastest first: dims[0] = columns (inputs), dims[1] = rows (outputs).
  std::vector<std::uint64_t> dims;
  std::uint64_t info_offset = 0;  // of the tensor's entry in the file
  std::uint64_t offset = 0;       // of the data in the file
  std::span<const std::byte> data;

  std::size_t cols() const { return static_cast<std::size_t>(dims[0]); }
  std::size_t rows() const;  // product of the other dimensions
};

struct GgufTensors {
  std::vector<GgufTensor> tensors;  // file order
  std::uint64_t data_offset = 0;    // where tensor data starts; the file's end if there is none
};

// Reads `count` entries and checks them against the file, whose bytes `reader` walks and `file` is.
// Touches no tensor data. Errors: kBadInput (naming tensor, offset, rule), kUnsupported (a type).
// REQUIRES: alignment is a power of two below 2^32; count was checked by read_preamble.
Result<GgufTensors> read_tensors(ByteReader& reader, std::span<const std::byte> file,
                                 std::uint64_t count, std::uint64_t alignment);

// kBadInput (unnamed) for a name that is empty, longer than 64 bytes or contains a zero byte.
Status check_tensor_name(std::string_view name);

// The bytes of a tensor's data, without padding. kBadInput (unnamed) if a dimension is 0 or too
// large, there are none or more than four, the row is no whole number of blocks, or the product
// is beyond 2^62.
Result<std::uint64_t> tensor_bytes(kernels::TensorType type, std::span<const std::uint64_t> dims);

// REQUIRES: alignment is a power of two; the result fits.
inline std::uint64_t round_up(std::uint64_t bytes, std::uint64_t alignment) {
  return (bytes + alignment - 1) & ~(alignment - 1);
}

}  // namespace bankai::model
