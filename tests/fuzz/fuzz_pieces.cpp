// Fuzz target: any bytes as a SentencePiece .model file. What our reader lets through, the library
// must be able to use; as a vocabulary of GGUF it must give the text back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "model/piece_file.h"
#include "model/sentence_pieces.h"
#include "model/tokenizer.h"

namespace {

using bankai::model::PieceFile;
using bankai::model::Tokenizer;
using bankai::model::TokenizerMetadata;

constexpr std::string_view kText = " Ab  \xc3\xa9\xe6\x97\xa5\n\xff<s> a";

void check_use(const PieceFile& file) {
  TokenizerMetadata metadata;
  metadata.kind = bankai::model::TokenizerKind::kPieces;
  bool has_mark = false;  // else a space comes back as the bytes of the mark
  for (const PieceFile::Piece& piece : file.pieces) {
    metadata.tokens.push_back(piece.text);
    metadata.types.push_back(static_cast<std::int64_t>(piece.type));
    metadata.scores.push_back(static_cast<double>(piece.score));
    has_mark |= piece.text == "\xe2\x96\x81" && piece.type == bankai::model::TokenType::kNormal;
    // A user-defined token is its own text, marks included.
    if (piece.type == bankai::model::TokenType::kUserDefined) return;
  }
  metadata.adds_space = false;
  const auto tokenizer = Tokenizer::from_metadata(metadata);
  if (!has_mark || !tokenizer.ok()) return;  // a piece twice, a byte without one
  BANKAI_CHECK(tokenizer->decode(tokenizer->encode(kText)) == kText, "another text came back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto file = bankai::model::read_piece_file(bytes);
  if (!file.ok()) return 0;
  check_use(*file);
  if (const auto pieces = bankai::model::SentencePieces::read(bytes); pieces.ok())
    BANKAI_CHECK(pieces->encode(kText).ok(), "text that the library does not take");
  return 0;
}
