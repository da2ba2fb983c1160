#include "cli/infer_text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/utf8.h"

namespace bankai::cli {
namespace {

const std::string kReplacement = "\xef\xbf\xbd";

std::string stream(const std::vector<std::string>& parts) {
  Utf8Stream text;
  std::string shown;
  for (const std::string& part : parts) shown += text.push(part);
  return shown + text.finish();
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = model::utf8_character_bytes(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

TEST(Utf8Stream, HoldsBackWhatMayBecomeACharacter) {
  Utf8Stream text;
  EXPECT_EQ(text.push("a\xe2"), "a");
  EXPECT_EQ(text.push("\x88"), "");
  EXPECT_EQ(text.push("\x9a!"), "√!");
  EXPECT_EQ(text.push("\xf0\x9f\x99"), "");
  EXPECT_EQ(text.push("\x82"), "🙂");
  EXPECT_EQ(text.finish(), "");
}

TEST(Utf8Stream, DoesNotDependOnWhereTheStreamIsCut) {
  // Two- to four-byte characters, stray and missing continuations, overlong forms, a surrogate.
  const std::string text =
      "aé√🙂\x80z\xc3(\xe2\x88\xff\xf0\x9f\xe2\x82\xac\xc0\xaf\xed\xa0\x80\xf8\xe2\x88";
  const std::string whole = stream({text});
  EXPECT_TRUE(is_utf8(whole));
  for (std::size_t i = 0; i <= text.size(); ++i)
    for (std::size_t j = i; j <= text.size(); ++j)
      EXPECT_EQ(stream({text.substr(0, i), text.substr(i, j - i), text.substr(j)}), whole);
}

TEST(Utf8Stream, KeepsEveryCharacterAndReplacesEveryStrayByte) {
  for (char32_t c : {U'\x01', U'\x7f', U'\x80', U'\x7ff', U'\x800', U'\xd7ff', U'\xe000', U'\xffff',
                     U'\x10000', U'\x10ffff'}) {
    std::string bytes;
    if (c < 0x80) {
      bytes += static_cast<char>(c);
    } else if (c < 0x800) {
      bytes += static_cast<char>(0xc0U | (c >> 6U));
    } else if (c < 0x10000) {
      bytes += static_cast<char>(0xe0U | (c >> 12U));
    } else {
      bytes += static_cast<char>(0xf0U | (c >> 18U));
      bytes += static_cast<char>(0x80U | ((c >> 12U) & 0x3fU));
    }
    if (c >= 0x800) bytes += static_cast<char>(0x80U | ((c >> 6U) & 0x3fU));
    if (c >= 0x80) bytes += static_cast<char>(0x80U | (c & 0x3fU));
    std::vector<std::string> single;
    for (const char byte : bytes) single.emplace_back(1, byte);
    EXPECT_EQ(stream(single), bytes);
    Utf8Stream cut;
    if (bytes.size() == 1) continue;
    EXPECT_EQ(cut.push(bytes.substr(0, bytes.size() - 1)), "") << "held back";
  }
  for (int byte = 0x80; byte < 0x100; ++byte)
    EXPECT_EQ(stream({std::string(1, static_cast<char>(byte))}), kReplacement);
}

TEST(InferText, OneLineHasNoControlCharacters) {
  EXPECT_EQ(one_line("a\nb\tc\x1b[0m\x7f √"), "a\\nb\\tc\\x1b[0m\\x7f √");
  EXPECT_EQ(one_line(""), "");
}

TEST(InferText, ColumnsCountCharacters) {
  EXPECT_EQ(count_characters("é√🙂a"), 4U);
  EXPECT_EQ(column("ab", 4), "ab  ");
  EXPECT_EQ(column("√√", 4), "√√  ");
  EXPECT_EQ(column("abcd", 4), "abcd");
  EXPECT_EQ(column("abcde", 4), "abc…");
  EXPECT_EQ(column("√√√√√", 4), "√√√…");
}

}  // namespace
}  // namespace bankai::cli
