#include "patch/text_rules.h"

#include <cstdint>

#include "core/format.h"

namespace bankai::patch {
namespace {

// The length in bytes that the first byte of a UTF-8 character announces, or 0 if none starts so.
std::size_t announced_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

// The length of the well-formed, printable character at the start of `text` (Unicode 15, table
// 3-7), or 0. REQUIRES: not empty.
std::size_t printable_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = announced_length(lead);
  if (length == 0 || length > text.size()) return 0;
  std::uint32_t code_point = length == 1 ? lead : lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0U) != 0x80U) return 0;
    code_point = (code_point << 6U) | (byte & 0x3fU);
  }
  const bool control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
  const bool overlong =
      (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
  return control || overlong || surrogate || code_point > 0x10ffff ? 0 : length;
}

}  // namespace

std::string_view label_prefix(std::string_view text, std::size_t max_bytes) {
  std::size_t size = 0;
  while (size < text.size()) {
    const std::size_t length = printable_length(text.substr(size));
    if (length == 0 || size + length > max_bytes) break;
    size += length;
  }
  return text.substr(0, size);
}

Status check_label(std::string_view text, const char* what) {
  const std::size_t good = label_prefix(text, text.size()).size();
  if (good == text.size()) return {};
  return make_error(ErrorCode::kBadInput,
                    "the %s holds a control character or invalid UTF-8 at its byte %zu", what,
                    good);
}

}  // namespace bankai::patch
