// General coders of bytes, from well-known libraries: a baseline for every content, the choice for
// text, and a part of the codec of byte planes.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace bankai::packer {

struct GeneralCoder {
  std::string_view name;
  std::vector<std::byte> (*compress)(std::span<const std::byte> plain);
  // Fills `plain` from exactly `coded`, else kBadInput. Takes no memory beyond the library's
  // constant state.
  Status (*decompress)(std::span<const std::byte> coded, std::span<std::byte> plain);
};

const GeneralCoder& zlib_coder();        // zlib format (RFC 1950), level 9
const GeneralCoder& zstd_fast_coder();   // zstd frame (RFC 8878), level 3
const GeneralCoder& zstd_small_coder();  // the same, level 22, long-range matching
const GeneralCoder& lzma_coder();        // LZMA2 without a container, the best of two settings

}  // namespace bankai::packer
