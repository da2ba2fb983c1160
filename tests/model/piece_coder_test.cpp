// SentencePiece vocabularies in GGUF's form, against the library of that name.
#include "model/piece_coder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/counter_rng.h"
#include "model/piece_file.h"
#include "model/sentence_pieces.h"
#include "model/tokenizer.h"
#include "tests/model/piece_image.h"

namespace bankai::model {
namespace {

using Ids = std::vector<TokenId>;

const std::string kMark = "\xe2\x96\x81";

TokenizerMetadata metadata_of(const PieceFile& file) {
  TokenizerMetadata metadata;
  metadata.source = "test.gguf";
  metadata.kind = TokenizerKind::kPieces;
  for (const PieceFile::Piece& piece : file.pieces) {
    metadata.tokens.push_back(piece.text);
    metadata.types.push_back(static_cast<std::int64_t>(piece.type));
    metadata.scores.push_back(static_cast<double>(piece.score));
  }
  metadata.unknown = file.unknown;
  metadata.bos = file.bos;
  metadata.eos = file.eos;
  metadata.adds_space = file.adds_space;
  return metadata;
}

// Characters, and pieces that are two others, most of them reachable, with scores that repeat.
std::vector<std::string> random_pieces(std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<std::string> texts = {kMark, "a", "b", "c", "\xc3\xa9"};
  for (std::uint64_t i = 0; texts.size() < 40; i += 2) {
    const std::string text =
        texts[rng.below(i, texts.size())] + texts[rng.below(i + 1, texts.size())];
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
  }
  return texts;
}

PieceImage random_image(std::uint64_t seed) {
  PieceImage image;
  image.add_usual();
  float score = 0.0F;
  for (const std::string& text : random_pieces(seed))
    image.add(text, text.size() % 3 == 0 ? score : score -= 1.0F);
  return image.normaliser(4, 0);
}

std::string random_text(const CounterRng& rng, std::uint64_t& draw) {
  const char* const parts[] = {"a",  "b",  "c", " ",   "  ",           "\xc3\xa9", "\xe6\x97\xa5",
                               "\n", "ab", "z", "<s>", "\xe2\x96\x81", "<0x41>"};
  std::string text;
  for (std::uint64_t left = rng.below(draw++, 30); left > 0; --left)
    text += parts[rng.below(draw++, std::size(parts))];
  return text;
}

TEST(PieceCoder, GivesTheIdsOfTheLibrary) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    PieceImage image = random_image(seed);
    if (seed % 4 == 3) image.normaliser(3, 0);
    const std::string bytes = image.build();
    const auto file = read_piece_file(bytes);
    ASSERT_TRUE(file.ok()) << file.error().message;
    const auto library = SentencePieces::read(bytes);
    ASSERT_TRUE(library.ok()) << library.error().message;
    const auto tokenizer = Tokenizer::from_metadata(metadata_of(*file));
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
    const CounterRng rng(seed, 1);
    std::uint64_t draw = 0;
    for (int i = 0; i < 100; ++i) {
      const std::string text = random_text(rng, draw);
      EXPECT_EQ(tokenizer->encode(text), *library->encode(text)) << seed << ": " << text;
    }
  }
}

class Pieces : public ::testing::Test {
 protected:
  // Numbers 259 and up.
  Tokenizer tokenizer(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) image_.add(text, -static_cast<float>(++count_));
    bytes_ = image_.build();
    return Tokenizer::from_metadata(metadata_of(*read_piece_file(bytes_))).value();
  }
  PieceImage image_ = PieceImage().add_usual();
  int count_ = 0;
  std::string bytes_;
};

TEST_F(Pieces, ComeBackAsText) {
  const Tokenizer t = tokenizer({kMark, "a", "b", "ab", kMark + "ab"});
  EXPECT_EQ(t.encode("ab ab"), (Ids{263, 263}));
  EXPECT_EQ(t.decode(t.encode("ab ab")), " ab ab");
  EXPECT_EQ(t.encode("\xff"), (Ids{259, 3 + 0xFF}));
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(t.decode(t.encode(all)), " " + all);
  EXPECT_TRUE(t.encode("").empty());
  EXPECT_TRUE(t.adds_bos());
  EXPECT_EQ(t.bos(), 1);
  EXPECT_TRUE(t.is_end_of_generation(2));
}

TEST_F(Pieces, ControlTokensAreNotForged) {
  const Tokenizer t = tokenizer({kMark, "<", "s", ">", "<s"});
  EXPECT_EQ(t.encode("<s>"), (Ids{259, 263, 262}));
  // A space in front of every stretch of text, as llama.cpp has it.
  EXPECT_EQ(t.encode("<s>s</s>", true), (Ids{1, 259, 261, 2}));
}

TEST_F(Pieces, LongTextsTakeNoLongerThanTheirLength) {
  std::vector<std::string> texts = {kMark, "a"};
  for (int i = 0; i < 12; ++i) texts.push_back(texts.back() + texts.back());
  const Tokenizer t = tokenizer(texts);
  EXPECT_LT(t.encode(std::string(50000, 'a')).size(), 200U);
}

TEST(PieceCoder, WrongScoresAreRefused) {
  const std::string bytes = random_image(1).build();
  const PieceFile file = read_piece_file(bytes).value();
  TokenizerMetadata metadata = metadata_of(file);
  metadata.scores.pop_back();
  EXPECT_NE(Tokenizer::from_metadata(metadata).error().message.find("298 scores for the 299"),
            std::string::npos);
  metadata.scores.push_back(std::nan(""));
  EXPECT_NE(Tokenizer::from_metadata(metadata).error().message.find("token 298 has no number"),
            std::string::npos);
}

}  // namespace
}  // namespace bankai::model
