// Fuzz target: any bytes as a patch of either format, as a binary patch whose checksum fits, and as
// the journal of an in-place edit. What is accepted must be accepted again with the same content
// once our own writer has written it.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "patch/crc32.h"
#include "patch/edit_journal.h"
#include "patch/patch_binary.h"
#include "patch/patch_format.h"
#include "patch/patch_json.h"

namespace {

namespace patch = bankai::patch;

void check_binary(std::span<const std::byte> bytes) {
  const auto read = patch::decode_binary(bytes);
  if (!read.ok()) return;
  const std::vector<std::byte> again = patch::encode_binary(*read);
  BANKAI_CHECK(again.size() == patch::binary_size_bytes(*read), "a wrong prediction of the size");
  BANKAI_CHECK(
      again.size() == bytes.size() && std::memcmp(again.data(), bytes.data(), bytes.size()) == 0,
      "a patch that is not its own encoding was accepted");
  const auto by_json = patch::parse_json(patch::format_json(*read), "");
  BANKAI_CHECK(by_json.ok() && by_json->flips == read->flips && by_json->base == read->base,
               "the JSON form holds another patch");
}

void check_json(std::string_view text) {
  const auto read = patch::parse_json(text, "fuzz");
  if (!read.ok()) return;
  const auto again = patch::parse_json(patch::format_json(*read), "");
  BANKAI_CHECK(again.ok() && *again == *read, "a patch that was written is read differently");
  const auto by_binary = patch::decode_binary(patch::encode_binary(*read));
  BANKAI_CHECK(by_binary.ok() && by_binary->flips == read->flips,
               "the binary form holds another patch");
}

void check_journal(std::span<const std::byte> bytes) {
  const auto read = patch::decode_journal(bytes);
  if (!read.ok()) return;
  BANKAI_CHECK(patch::decode_journal(patch::encode_journal(*read)).value() == *read,
               "a journal that was written is read differently");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  check_binary(bytes);
  check_json({reinterpret_cast<const char*>(data), size});
  check_journal(bytes);
  if (size > patch::kChecksummedFrom) {
    std::vector<std::byte> fitting(bytes.begin(), bytes.end());
    const std::uint32_t checksum =
        patch::crc32(std::span(fitting).subspan(patch::kChecksummedFrom));
    std::memcpy(fitting.data() + 4, &checksum, sizeof checksum);
    check_binary(fitting);
  }
  return 0;
}
