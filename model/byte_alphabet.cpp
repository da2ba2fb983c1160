#include "model/byte_alphabet.h"

#include <array>

namespace bankai::model {
namespace {

constexpr std::size_t kNumCodes = 0x100 + 68;  // one past the alphabet's last code point

struct Alphabet {
  std::array<std::uint16_t, 256> code_of_byte{};
  std::array<std::int16_t, kNumCodes> byte_of_code{};  // -1: not in the alphabet
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  for (std::int16_t& byte : alphabet.byte_of_code) byte = -1;
  std::uint16_t next_code = 0x100;
  for (std::uint16_t byte = 0; byte < 256; ++byte) {
    const bool is_printable =
        (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const std::uint16_t code = is_printable ? byte : next_code++;
    alphabet.code_of_byte[byte] = code;
    alphabet.byte_of_code[code] = static_cast<std::int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

void append_alphabet_text(std::string_view bytes, std::string& text) {
  for (const char c : bytes) {
    const unsigned code = kAlphabet.code_of_byte[static_cast<std::uint8_t>(c)];
    if (code < 0x80) {
      text += static_cast<char>(code);
    } else {  // below U+0800: two bytes
      text += static_cast<char>(0xc0U | (code >> 6U));
      text += static_cast<char>(0x80U | (code & 0x3fU));
    }
  }
}

std::optional<std::string> bytes_of_alphabet_text(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = static_cast<std::uint8_t>(text[i]);
    if (code >= 0x80) {
      if (code < 0xc2 || code > 0xdf || i + 1 == text.size()) return std::nullopt;
      const unsigned second = static_cast<std::uint8_t>(text[++i]);
      if ((second & 0xc0U) != 0x80U) return std::nullopt;
      code = (code & 0x1fU) << 6U | (second & 0x3fU);
    }
    if (code >= kNumCodes || kAlphabet.byte_of_code[code] < 0) return std::nullopt;
    bytes += static_cast<char>(kAlphabet.byte_of_code[code]);
  }
  return bytes;
}

}  // namespace bankai::model
