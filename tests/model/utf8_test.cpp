#include "model/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace bankai::model {
namespace {

// The definition, from the other side: how a code point is written.
std::string written(std::uint32_t code) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xc0 | code >> 6), byte(0x80 | (code & 0x3f))};
  if (code < 0x10000)
    return {byte(0xe0 | code >> 12), byte(0x80 | (code >> 6 & 0x3f)), byte(0x80 | (code & 0x3f))};
  return {byte(0xf0 | code >> 18), byte(0x80 | (code >> 12 & 0x3f)),
          byte(0x80 | (code >> 6 & 0x3f)), byte(0x80 | (code & 0x3f))};
}

bool is_character(std::uint32_t code) {
  return code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
}

TEST(Utf8, EveryCodePointHasItsLengthAndNoPrefixHasOne) {
  for (std::uint32_t code = 0; code < 0x200000; ++code) {
    const std::string text = written(code);
    ASSERT_EQ(utf8_character_bytes(text + "x"), is_character(code) ? text.size() : 0) << code;
    ASSERT_EQ(utf8_character_bytes(text), is_character(code) ? text.size() : 0) << code;
    ASSERT_EQ(utf8_character_bytes(text.substr(0, text.size() - 1)), 0U) << code;
  }
}

// All strings of four bytes whose last two come from a list that holds both sides of each bound.
TEST(Utf8, AcceptsExactlyWhatACodePointIsWrittenAs) {
  constexpr std::uint8_t kBytes[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90,
                                     0x9f, 0xa0, 0xbf, 0xc0, 0xff};
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      for (const std::uint8_t third : kBytes) {
        for (const std::uint8_t fourth : kBytes) {
          const std::string text = {static_cast<char>(first), static_cast<char>(second),
                                    static_cast<char>(third), static_cast<char>(fourth)};
          const std::size_t length = utf8_character_bytes(text);
          // Bits of the code point if `text` starts with a character of each length.
          const std::uint32_t codes[] = {
              first, (first & 0x1f) << 6 | (second & 0x3f),
              (first & 0x0f) << 12 | (second & 0x3f) << 6 | (third & 0x3fU),
              (first & 0x07) << 18 | (second & 0x3f) << 12 | (third & 0x3fU) << 6 |
                  (fourth & 0x3fU)};
          std::size_t expected = 0;
          for (std::size_t n = 1; n <= 4; ++n)
            if (is_character(codes[n - 1]) && written(codes[n - 1]) == text.substr(0, n))
              expected = n;
          ASSERT_EQ(length, expected) << first << " " << second << " " << +third << " " << +fourth;
        }
      }
    }
  }
}

TEST(Utf8, EmptyTextHasNoCharacter) { EXPECT_EQ(utf8_character_bytes(""), 0U); }

}  // namespace
}  // namespace bankai::model
