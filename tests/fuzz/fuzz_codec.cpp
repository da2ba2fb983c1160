// Fuzz target: any bytes as the payload of any codec and a content of a few rows. The first bytes
// say which: codec id, kind, element size, rows, columns (2 bytes). What is accepted must be a
// content that the codec encodes, in as many bytes as predicted, and decodes to the same.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/check.h"
#include "packer/codec_table.h"
#include "packer/payload.h"

namespace {

namespace packer = bankai::packer;

constexpr std::size_t kHeadBytes = 6;

void check_payload(const packer::Codec& codec, const packer::Content& content,
                   std::span<const std::byte> payload) {
  const auto reader = packer::PayloadReader::open(codec, content, payload);
  if (!reader.ok()) return;
  std::vector<std::byte> logical(static_cast<std::size_t>(content.logical_bytes()));
  if (!reader->decode(logical).ok()) return;
  const packer::ContentSource source(content, logical);
  const auto again = packer::encode(codec, source);
  BANKAI_CHECK(again.ok(), "a content was decoded that cannot be encoded");
  BANKAI_CHECK(packer::encoded_size(codec, source).value() == again->size(),
               "a wrong prediction of the size");
  const auto reopened = packer::PayloadReader::open(codec, content, *again);
  std::vector<std::byte> decoded(logical.size());
  BANKAI_CHECK(reopened.ok() && reopened->decode(decoded).ok() && decoded == logical,
               "a content does not come back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < kHeadBytes) return 0;
  const packer::Codec* codec = packer::find_codec(data[0]);
  const std::uint64_t cols = data[4] + 256U * (data[5] & 7U);
  const auto content =
      packer::make_content(static_cast<packer::ContentKind>(data[1]), data[3], cols, data[2]);
  if (codec == nullptr || !content.ok() || !codec->accepts(*content)) return 0;
  check_payload(*codec, *content, std::as_bytes(std::span(data, size)).subspan(kHeadBytes));
  return 0;
}
