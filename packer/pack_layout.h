// The fixed parts of a .bkpack file: the header in front, the footer behind.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "packer/codec.h"

namespace bankai::packer {

inline constexpr std::string_view kPackMagic = "BKPACK\x1a\n";
inline constexpr std::string_view kPackEnd = "\nBKPKEND";
inline constexpr std::size_t kPackHeaderBytes = 16;
inline constexpr std::uint32_t kPackVersion = 1;
inline constexpr std::uint32_t kPlainPackVersion = 2;  // of packs of plain files, and only these
inline constexpr std::size_t kPackFooterBytes = 56;

struct PackFooter {
  std::uint64_t index_offset = 0;
  std::uint64_t index_bytes = 0;  // as stored
  std::uint64_t index_plain_bytes = 0;
  std::uint8_t index_codec = 0;
  std::uint64_t total_bytes = 0;
  std::array<std::byte, 8> checksum{};  // of the fields above and the plain index
};

std::vector<std::byte> encode_pack_header(std::uint32_t version = kPackVersion);
// The version. Errors: kBadInput for another magic or a reserved field that is not 0; kUnsupported
// for another version.
Result<std::uint32_t> check_pack_header(std::span<const std::byte> file);

std::vector<std::byte> encode_pack_footer(const PackFooter& footer);
// Errors: kBadInput unless the file ends in a footer whose sizes fit it.
Result<PackFooter> read_pack_footer(std::span<const std::byte> file);

std::array<std::byte, 8> footer_checksum(const PackFooter& footer,
                                         std::span<const std::byte> plain_index);

}  // namespace bankai::packer
