#include "model/byte_alphabet.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "model/utf8.h"

namespace bankai::model {
namespace {

std::string character_of(int byte) {
  std::string text;
  append_alphabet_text(std::string(1, static_cast<char>(byte)), text);
  return text;
}

TEST(ByteAlphabet, EveryByteHasACharacterOfItsOwn) {
  std::set<std::string> characters;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string character = character_of(byte);
    EXPECT_EQ(utf8_character_bytes(character), character.size()) << byte;
    EXPECT_EQ(bytes_of_alphabet_text(character), std::string(1, static_cast<char>(byte)));
    characters.insert(character);
  }
  EXPECT_EQ(characters.size(), 256U);
}

TEST(ByteAlphabet, KnownCharacters) {
  EXPECT_EQ(character_of('A'), "A");
  EXPECT_EQ(character_of('!'), "!");
  EXPECT_EQ(character_of('~'), "~");
  EXPECT_EQ(character_of(0x00), "Ā");
  EXPECT_EQ(character_of('\n'), "Ċ");
  EXPECT_EQ(character_of(' '), "Ġ");
  EXPECT_EQ(character_of(0x7f), "ġ");
  EXPECT_EQ(character_of(0xa0), "ł");
  EXPECT_EQ(character_of(0xa1), "¡");
  EXPECT_EQ(character_of(0xad), "Ń");
  EXPECT_EQ(character_of(0xff), "ÿ");
}

// Every code point that fits in two bytes: 256 of them spell a byte, and only those.
TEST(ByteAlphabet, NothingElseSpellsAByte) {
  int num_spelled = 0;
  for (int code = 0; code < 0x800; ++code) {
    const std::string text = code < 0x80 ? std::string(1, static_cast<char>(code))
                                         : std::string{static_cast<char>(0xc0 | code >> 6),
                                                       static_cast<char>(0x80 | (code & 0x3f))};
    const auto bytes = bytes_of_alphabet_text(text);
    if (!bytes) continue;
    ++num_spelled;
    ASSERT_EQ(bytes->size(), 1U);
    EXPECT_EQ(character_of(static_cast<unsigned char>((*bytes)[0])), text);
  }
  EXPECT_EQ(num_spelled, 256);
}

TEST(ByteAlphabet, RefusesOtherTextAnywhereInIt) {
  for (const char* text : {" ", "a b", "\n", "\t", "中", "a中", "\xc4", "a\xc4", "\xc4z",
                           "\xe4\xb8", "\xc0\xa1", "\xff", "\xf0\x9f\x98\x80"})
    EXPECT_EQ(bytes_of_alphabet_text(text), std::nullopt) << text;
  EXPECT_EQ(bytes_of_alphabet_text(""), "");
}

TEST(ByteAlphabet, SpellsTextByteByByte) {
  std::string text = "x";
  append_alphabet_text(" é\n", text);
  EXPECT_EQ(text, "xĠÃ©Ċ");
  EXPECT_EQ(bytes_of_alphabet_text("ĠÃ©Ċ"), " é\n");
}

}  // namespace
}  // namespace bankai::model
