#include "model/sentence_pieces.h"

#include <sentencepiece_processor.h>

#include <charconv>
#include <utility>

#include "core/format.h"
#include "model/piece_file.h"

namespace bankai::model {
namespace {

struct PieceBytes {
  std::size_t bytes = 0;  // without the mark
  bool has_mark = false;
  bool is_boundary = true;
};

}  // namespace

struct SentencePieces::State {
  sentencepiece::SentencePieceProcessor processor;
  std::vector<PieceBytes> pieces;

  PieceBytes piece(TokenId token) const {
    const auto index = static_cast<std::size_t>(token);
    return token >= 0 && index < pieces.size() ? pieces[index] : PieceBytes();
  }
};

SentencePieces::SentencePieces(std::unique_ptr<State> state) : state_(std::move(state)) {}
SentencePieces::SentencePieces(SentencePieces&&) noexcept = default;
SentencePieces& SentencePieces::operator=(SentencePieces&&) noexcept = default;
SentencePieces::~SentencePieces() = default;

Result<SentencePieces> SentencePieces::read(std::string_view bytes) {
  // The library follows what a file says without looking.
  if (const auto checked = read_piece_file(bytes); !checked.ok()) return checked.error();
  auto state = std::make_unique<State>();
  const auto& processor = state->processor;
  const auto loaded = state->processor.LoadFromSerializedProto({bytes.data(), bytes.size()});
  if (!loaded.ok())
    return make_error(ErrorCode::kBadInput, "no SentencePiece vocabulary: %s",
                      quoted(loaded.ToString()).c_str());
  for (int id = 0; id < processor.GetPieceSize(); ++id) {
    PieceBytes piece;
    if (!processor.IsControl(id) && !processor.IsUnknown(id) && !processor.IsUnused(id)) {
      const std::string& text = processor.IdToPiece(id);
      piece.is_boundary = false;
      piece.has_mark = !processor.IsByte(id) && text.starts_with(kSpaceMark);
      piece.bytes =
          processor.IsByte(id) ? 1 : text.size() - (piece.has_mark ? kSpaceMark.size() : 0);
    }
    state->pieces.push_back(piece);
  }
  return SentencePieces(std::move(state));
}

std::size_t SentencePieces::size() const { return state_->pieces.size(); }
TokenId SentencePieces::bos() const { return state_->processor.bos_id(); }

Result<std::vector<TokenId>> SentencePieces::encode(std::string_view text) const {
  std::vector<int> ids;
  const auto status = state_->processor.Encode({text.data(), text.size()}, &ids);
  if (!status.ok())
    return make_error(ErrorCode::kBadInput, "SentencePiece: %s", quoted(status.ToString()).c_str());
  return std::vector<TokenId>(ids.begin(), ids.end());
}

std::string SentencePieces::decode(TokenId token) const {
  if (state_->piece(token).is_boundary) return "";
  const std::string& piece = state_->processor.IdToPiece(token);
  if (state_->processor.IsByte(token)) {  // spelled <0xNN>
    unsigned byte = 0;
    if (piece.size() == 6) std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
    return std::string(1, static_cast<char>(byte));
  }
  std::string text;
  for (std::size_t i = 0; i < piece.size();) {
    const bool is_mark = piece.compare(i, kSpaceMark.size(), kSpaceMark) == 0;
    text += is_mark ? ' ' : piece[i];
    i += is_mark ? kSpaceMark.size() : 1;
  }
  return text;
}

bool SentencePieces::is_control(TokenId token) const {
  return token >= 0 && static_cast<std::size_t>(token) < size() &&
         state_->processor.IsControl(token);
}

std::size_t SentencePieces::counted_bytes(TokenId token, TokenId previous) const {
  const PieceBytes piece = state_->piece(token);
  const bool counts_mark = piece.has_mark && !state_->piece(previous).is_boundary;
  return piece.bytes + (counts_mark ? 1 : 0);
}

}  // namespace bankai::model
