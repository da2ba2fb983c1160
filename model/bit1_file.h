// BIT1: the file of a strictly binary model. Layout, limits and what is refused:
// docs/formats/bit1.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/result.h"
#include "model/binary_model.h"

namespace bankai::model {

inline constexpr std::uint32_t kBit1Magic = 0x31544942;  // "BIT1"
inline constexpr std::uint32_t kBit1Version = 1;
inline constexpr std::size_t kBit1HeaderBytes = 40;
inline constexpr std::size_t kBit1MaxWidth = std::size_t{1} << 24U;  // of width and feed_forward

// True if the bytes begin with the magic number.
bool is_bit1(std::span<const std::byte> bytes);

// Reads a whole file's bytes; `name` is put in front of errors. Every size follows from the header
// and must give exactly the file's size, so memory is bounded by it. Errors: kBadInput with the
// offset, what was found and what was expected; kUnsupported for another version.
Result<BinaryModel> parse_bit1(std::span<const std::byte> bytes, const std::string& name);
Result<BinaryModel> read_bit1(const std::string& path);

// The file of a model that parse_bit1 would accept; writing what was read gives the same bytes.
// REQUIRES: matrices have the sizes that the shape says.
std::vector<std::byte> encode_bit1(const BinaryModel& model);
Status write_bit1(const BinaryModel& model, const std::string& path, Overwrite overwrite);

}  // namespace bankai::model
