// Writes SentencePiece .model files: the few fields of the protocol buffer that matter.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "model/vocabulary.h"

namespace bankai::model {

class PieceImage {
 public:
  // Merged by score, with byte pieces for what is unknown; the library's defaults otherwise.
  PieceImage() { trainer_ = number(3, 2) + number(35, 1); }

  PieceImage& add(std::string_view text, float score, TokenType type = TokenType::kNormal) {
    std::string piece = bytes(1, text) + std::string(1, '\x15');
    piece.append(reinterpret_cast<const char*>(&score), sizeof score);
    pieces_ += bytes(1, piece + number(3, static_cast<std::uint64_t>(type)));
    return *this;
  }
  PieceImage& trainer(std::uint64_t field, std::uint64_t value) {
    trainer_ += number(field, value);
    return *this;
  }
  PieceImage& normaliser(std::uint64_t field, std::uint64_t value) {
    normaliser_ += number(field, value);
    return *this;
  }
  PieceImage& character_map(std::string_view map) {
    normaliser_ += bytes(2, map);
    return *this;
  }
  // <unk>, <s>, </s>, as numbers 0 to 2, and bytes, 3 to 258.
  PieceImage& add_usual() {
    add("<unk>", 0.0F, TokenType::kUnknown);
    add("<s>", 0.0F, TokenType::kControl);
    add("</s>", 0.0F, TokenType::kControl);
    for (unsigned byte = 0; byte < 256; ++byte) {
      const char* const digits = "0123456789ABCDEF";
      add(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">", 0.0F, TokenType::kByte);
    }
    return *this;
  }

  std::string build() const { return pieces_ + bytes(2, trainer_) + bytes(3, normaliser_); }

 private:
  static std::string varint(std::uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7U) out += static_cast<char>(0x80U | (value & 0x7FU));
    return out + static_cast<char>(value);
  }
  static std::string number(std::uint64_t field, std::uint64_t value) {
    return varint(field << 3U) + varint(value);
  }
  static std::string bytes(std::uint64_t field, std::string_view content) {
    return varint(field << 3U | 2U) + varint(content.size()) + std::string(content);
  }

  std::string pieces_, trainer_, normaliser_;
};

}  // namespace bankai::model
