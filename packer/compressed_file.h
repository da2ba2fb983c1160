// Files that are one zlib stream or one xz container around something else, recognised by their
// first bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace bankai::packer {

enum class OuterCompression : std::uint8_t { kNone, kZlib, kXz };
std::string_view outer_compression_name(OuterCompression compression);

// By the first bytes: RFC 1950's header with its check, or the magic of the xz format.
OuterCompression detect_compression(std::span<const std::byte> bytes);

struct PlainContent {
  OuterCompression compression = OuterCompression::kNone;
  std::vector<std::byte> owned;      // if it was compressed
  std::span<const std::byte> bytes;  // the content: in `owned`, or the file itself
};

// Expands one layer of compression, or none. Checks the stream's own checksum and that nothing
// follows it. Errors: kBadInput for a damaged stream with its offset, kUnsupported where the
// content would be larger than `max_bytes`. `file` outlives the result.
Result<PlainContent> expand_file(std::span<const std::byte> file, std::size_t max_bytes);

}  // namespace bankai::packer
