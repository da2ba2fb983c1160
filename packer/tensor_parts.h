// A tensor's bytes in a model file and its logical parts: groups of weights become sign bits, trits
// or codes on one hand and scales on the other, floats become numbers, everything else stays bytes.
// Only what comes back byte for byte is split. docs/formats/bkpack.md has the rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "kernels/tensor_type.h"
#include "packer/content.h"

namespace bankai::packer {

// Of a tensor in a file that is no GGUF file: rows of bits, or integers. The numbers stand in
// files.
enum class ArrayType : std::uint8_t {
  kNone = 0,  // a tensor of a GGUF file, whose type says all
  kBits = 1,  // element i of a row is bit i mod 8 of its byte i / 8; rows are whole words of 64
  kI32 = 2,
  kI64 = 3,
};

struct TensorShape {
  kernels::TensorType type = kernels::TensorType::kF32;
  std::uint64_t rows = 0;   // the product of all dimensions but the first
  std::uint64_t cols = 0;   // a whole number of the type's blocks
  std::uint64_t bytes = 0;  // in a model file, without padding
  ArrayType array = ArrayType::kNone;
};

// Errors, unnamed: those of model::tensor_bytes.
Result<TensorShape> tensor_shape(kernels::TensorType type, std::span<const std::uint64_t> dims);
// The same of an array. Errors, unnamed: kBadInput for rows of bits that are no whole words, and
// for more than model::kGgufMaxBytes. REQUIRES: a type other than kNone, a dimension.
Result<TensorShape> array_shape(ArrayType array, std::span<const std::uint64_t> dims);

// How bytes become parts. The numbers stand in files.
enum class TensorForm : std::uint8_t {
  kBytes = 0,    // any type: one part, the bytes
  kNumbers = 1,  // F32, F16, BF16: one part
  kBits = 2,     // Q1_0: scales, bits
  kTrits = 3,    // ternary types without codes of 3: scales (I2_S: none), trits (I2_S: trailer)
  kCodes = 4,    // Q8_0, and two-bit types: the same with codes of a byte
  // Floats of one magnitude per group (float_groups.h): scales and signs.
  kSignGroups = 5,  // bits
  kTritGroups = 6,  // trits
  // Arrays: one part.
  kWordBits = 7,  // bits
  kIntegers = 8,  // numbers: i >= 0 as 2 i, i < 0 as -2 i - 1, so that small ones have high zeros
};

struct TensorSplit {
  TensorForm form = TensorForm::kBytes;
  // Groups whose scale is 0 (all 16 bits) have no weights in the part of codes; all of them stand
  // for weights of 0.
  bool skips_zero_groups = false;
  bool has_short_groups = false;  // forms 5 and 6: groups of 64 columns in place of 128

  bool operator==(const TensorSplit&) const = default;
};

// Columns of a group in forms 5 and 6.
inline std::size_t float_group_cols(const TensorSplit& split) {
  return split.has_short_groups ? 64 : 128;
}

enum class PartKind : std::uint8_t { kBytes, kNumbers, kScales, kBits, kTrits, kCodes, kTrailer };
std::string_view part_name(PartKind kind);

struct TensorPart {
  PartKind kind = PartKind::kBytes;
  Content content;
  std::uint64_t raw_bytes = 0;  // that it takes in the model file
};

// The parts in their order in a pack. `kept_groups`: those with a scale other than 0; counts only
// where zero groups are skipped. Errors, unnamed: kBadInput if the type has no such form, or the
// content is beyond kMaxElements.
Result<std::vector<TensorPart>> parts_of(const TensorShape& shape, const TensorSplit& split,
                                         std::uint64_t kept_groups);

}  // namespace bankai::packer
