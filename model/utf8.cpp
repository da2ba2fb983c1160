#include "model/utf8.h"

#include <cstdint>

namespace bankai::model {

std::size_t utf8_character_bytes(std::string_view text) {
  if (text.empty()) return 0;
  const auto lead = static_cast<std::uint8_t>(text[0]);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const std::size_t num_bytes = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (text.size() < num_bytes) return 0;

  // The second byte alone decides about overlong forms, surrogates and the upper end.
  const auto second = static_cast<std::uint8_t>(text[1]);
  const std::uint8_t lowest = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const std::uint8_t highest = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (std::size_t i = 2; i < num_bytes; ++i)
    if ((static_cast<std::uint8_t>(text[i]) & 0xc0U) != 0x80U) return 0;
  return num_bytes;
}

}  // namespace bankai::model
