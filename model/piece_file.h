// SentencePiece's .model files (a protocol buffer, sentencepiece_model.proto): their pieces and
// what they say of text, read by ourselves. Checks what the library of that name believes unseen.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/vocabulary.h"

namespace bankai::model {

// U+2581, which stands for a space in the texts of pieces.
inline constexpr std::string_view kSpaceMark = "\xe2\x96\x81";

struct PieceFile {
  struct Piece {
    std::string_view text;
    float score = 0.0F;
    TokenType type = TokenType::kNormal;  // the file's numbers are GGUF's
  };
  std::vector<Piece> pieces;
  bool is_bpe = false;             // pieces are merged by score; else another kind of model
  bool adds_space = true;          // in front of a text
  bool removes_spaces = true;      // runs of spaces become one, and those at both ends none
  bool escapes_spaces = true;      // as kSpaceMark
  bool space_is_suffix = false;    // of words, not a prefix
  std::string_view character_map;  // compiled rules that normalise characters; empty: none
  std::optional<std::uint64_t> unknown = 0;
  std::optional<std::uint64_t> bos = 1;
  std::optional<std::uint64_t> eos = 2;
  std::optional<std::uint64_t> padding;
};

// Views into `bytes`. Errors (kBadInput, with the offset where there is one): no protocol buffer of
// this kind, no pieces, a type that is none, a character map whose search would leave it.
Result<PieceFile> read_piece_file(std::string_view bytes);

}  // namespace bankai::model
