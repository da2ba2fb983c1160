#include "model/piece_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "model/sentence_pieces.h"
#include "tests/model/piece_image.h"

namespace bankai::model {
namespace {

// A map of one rule, A to a: the root leads to 256 + 'A', that to the value at 128.
std::string character_map() {
  constexpr std::size_t kUnits = 512;
  std::uint32_t units[kUnits] = {};
  units[0] = 0x100U << 10U;
  units[0x141] = (0x141U ^ 0x80U) << 10U | 1U << 8U | 'A';
  units[0x80] = 1U << 31U;
  const std::uint32_t bytes = sizeof units;
  std::string map(sizeof bytes + sizeof units, '\0');
  std::memcpy(map.data(), &bytes, sizeof bytes);
  std::memcpy(map.data() + sizeof bytes, units, sizeof units);
  return map + std::string("a\0", 2);
}

std::string small_file() {
  return PieceImage()
      .add("<unk>", 0.0F, TokenType::kUnknown)
      .add("<s>", 0.0F, TokenType::kControl)
      .add("\xe2\x96\x81", -1.0F)
      .add("a", -2.0F)
      .add("b", -3.0F)
      .add("ab", -4.0F)
      .trainer(35, 0)
      .trainer(42, UINT64_MAX)
      .character_map(character_map())
      .normaliser(4, 0)
      .build();
}

TEST(PieceFile, SaysWhatIsInIt) {
  const std::string bytes = small_file();
  const PieceFile file = read_piece_file(bytes).value();
  ASSERT_EQ(file.pieces.size(), 6U);
  EXPECT_EQ(file.pieces[5].text, "ab");
  EXPECT_EQ(file.pieces[5].score, -4.0F);
  EXPECT_EQ(file.pieces[1].type, TokenType::kControl);
  EXPECT_TRUE(file.is_bpe);
  EXPECT_TRUE(file.adds_space);
  EXPECT_FALSE(file.removes_spaces);
  EXPECT_EQ(file.bos, 1U);
  EXPECT_EQ(file.eos, std::nullopt);  // −1
  EXPECT_EQ(file.character_map, character_map());
}

TEST(PieceFile, TheLibraryFollowsTheMap) {
  const auto pieces = SentencePieces::read(small_file());
  ASSERT_TRUE(pieces.ok()) << pieces.error().message;
  EXPECT_EQ(*pieces->encode("Ab"), (std::vector<TokenId>{2, 5}));
}

void use(const std::string& bytes) {
  const auto pieces = SentencePieces::read(bytes);
  if (!pieces.ok()) {
    EXPECT_EQ(pieces.error().code, ErrorCode::kBadInput);
    return;
  }
  for (const char* text : {"Ab", "AAAA b", "\xff\x80 A\xe2\x96\x81", "bAb\x01\x7f"})
    if (const auto ids = pieces->encode(text); !ids.ok()) {
      EXPECT_EQ(ids.error().code, ErrorCode::kBadInput);
    }
}

TEST(PieceFile, DamageIsRefusedOrHarmless) {
  const std::string good = small_file();
  for (std::size_t size = 0; size < good.size(); ++size) use(good.substr(0, size));
  for (std::size_t i = 0; i < good.size(); ++i)
    for (const unsigned change : {0x01U, 0x80U, 0xFFU}) {
      std::string bad = good;
      bad[i] = static_cast<char>(static_cast<std::uint8_t>(bad[i]) ^ change);
      use(bad);
    }
}

TEST(PieceFile, MapsThatLeadOutsideAreNamed) {
  const auto message = [](std::size_t at, std::uint8_t byte) {
    std::string map = character_map();
    map[at] = static_cast<char>(byte);
    const std::string bytes = PieceImage().add("a", 0.0F).character_map(map).build();
    const auto file = read_piece_file(bytes);
    EXPECT_FALSE(file.ok());
    return file.ok() ? "" : file.error().message;
  };
  EXPECT_EQ(message(0, 1), "the map of characters has a wrong size (unit 0)");
  EXPECT_EQ(message(4 + 3, 0x01), "the map of characters leads outside (unit 0)");
  EXPECT_EQ(message(4 + 4 * 0x80, 2), "the map of characters names a text outside (unit 321)");
  EXPECT_EQ(message(character_map().size() - 1, 'x'),
            "the map of characters has a text without an end (unit 0)");
}

}  // namespace
}  // namespace bankai::model
