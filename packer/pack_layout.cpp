#include "packer/pack_layout.h"

#include <algorithm>
#include <cstring>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/format.h"
#include "packer/pack_index.h"

namespace bankai::packer {
namespace {

// An index is mostly checksums and sizes; more than this is no index but an attack on memory.
constexpr std::uint64_t kMaxExpansion = 256;

std::vector<std::byte> footer_fields(const PackFooter& footer) {
  ByteWriter out;
  out.write(footer.index_offset);
  out.write(footer.index_bytes);
  out.write(footer.index_plain_bytes);
  out.write<std::uint64_t>(footer.index_codec);
  out.write(footer.total_bytes);
  return std::move(out).bytes();
}

bool starts_with(std::span<const std::byte> bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

unsigned long long printable(std::uint64_t value) { return value; }

}  // namespace

std::vector<std::byte> encode_pack_header(std::uint32_t version) {
  ByteWriter out;
  out.write_text(kPackMagic);
  out.write(version);
  out.write_zeros(4);
  return std::move(out).bytes();
}

Result<std::uint32_t> check_pack_header(std::span<const std::byte> file) {
  if (!starts_with(file, kPackMagic))
    return make_error(ErrorCode::kBadInput, "does not start with the magic of a .bkpack file");
  ByteReader reader(file);
  BANKAI_RETURN_IF_ERROR(reader.read_bytes(kPackMagic.size(), "the magic"));
  BANKAI_ASSIGN_OR_RETURN(const auto version, reader.read<std::uint32_t>("the version"));
  if (version != kPackVersion && version != kPlainPackVersion)
    return make_error(ErrorCode::kUnsupported, "version %u at offset 8, expected %u or %u", version,
                      kPackVersion, kPlainPackVersion);
  BANKAI_ASSIGN_OR_RETURN(const auto reserved, reader.read<std::uint32_t>("the reserved field"));
  if (reserved != 0)
    return make_error(ErrorCode::kBadInput, "the reserved field at offset 12 is %u, expected 0",
                      reserved);
  return version;
}

std::vector<std::byte> encode_pack_footer(const PackFooter& footer) {
  ByteWriter out;
  out.write_bytes(footer_fields(footer));
  out.write_bytes(footer.checksum);
  out.write_text(kPackEnd);
  return std::move(out).bytes();
}

Result<PackFooter> read_pack_footer(std::span<const std::byte> file) {
  if (file.size() < kPackHeaderBytes + kPackFooterBytes)
    return make_error(ErrorCode::kBadInput, "%zu bytes, too few for header and footer: cut short?",
                      file.size());
  const std::size_t at = file.size() - kPackFooterBytes;
  if (!starts_with(file.last(kPackEnd.size()), kPackEnd))
    return make_error(ErrorCode::kBadInput,
                      "no footer before offset %zu, where the file ends: cut short?", file.size());
  ByteReader reader(file.subspan(at));
  PackFooter footer;
  BANKAI_ASSIGN_OR_RETURN(footer.index_offset, reader.read<std::uint64_t>("the index offset"));
  BANKAI_ASSIGN_OR_RETURN(footer.index_bytes, reader.read<std::uint64_t>("the index size"));
  BANKAI_ASSIGN_OR_RETURN(footer.index_plain_bytes, reader.read<std::uint64_t>("the plain size"));
  BANKAI_ASSIGN_OR_RETURN(const auto codec, reader.read<std::uint64_t>("the index codec"));
  BANKAI_ASSIGN_OR_RETURN(footer.total_bytes, reader.read<std::uint64_t>("the total size"));
  BANKAI_ASSIGN_OR_RETURN(const auto sum,
                          reader.read_bytes(footer.checksum.size(), "the checksum"));
  std::copy(sum.begin(), sum.end(), footer.checksum.begin());
  if (footer.total_bytes != file.size())
    return make_error(ErrorCode::kBadInput,
                      "the footer at offset %zu says %llu bytes, the file has %zu", at,
                      printable(footer.total_bytes), file.size());
  if (footer.index_offset < kPackHeaderBytes || footer.index_offset > at ||
      footer.index_bytes != at - footer.index_offset)
    return make_error(
        ErrorCode::kBadInput,
        "an index of %llu bytes at offset %llu does not end at the footer, offset %zu",
        printable(footer.index_bytes), printable(footer.index_offset), at);
  if (footer.index_plain_bytes / kMaxExpansion > footer.index_bytes)
    return make_error(ErrorCode::kBadInput, "an index of %llu bytes cannot expand to %llu",
                      printable(footer.index_bytes), printable(footer.index_plain_bytes));
  if (codec > 0xff)
    return make_error(ErrorCode::kBadInput, "the index codec at offset %zu is %llu", at + 24,
                      printable(codec));
  footer.index_codec = static_cast<std::uint8_t>(codec);
  return footer;
}

std::array<std::byte, 8> footer_checksum(const PackFooter& footer,
                                         std::span<const std::byte> plain_index) {
  std::vector<std::byte> all = footer_fields(footer);
  all.insert(all.end(), plain_index.begin(), plain_index.end());
  return checksum_of(all);
}

}  // namespace bankai::packer
