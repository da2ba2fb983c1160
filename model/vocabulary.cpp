#include "model/vocabulary.h"

#include <bit>
#include <functional>
#include <limits>
#include <optional>

#include "core/format.h"
#include "core/sha256.h"
#include "model/byte_alphabet.h"

namespace bankai::model {
namespace {

constexpr const char* kTokensKey = "tokenizer.ggml.tokens";
constexpr const char* kTypesKey = "tokenizer.ggml.token_type";

std::size_t hash_of(std::string_view text) { return std::hash<std::string_view>()(text); }

std::string byte_token_text(std::uint8_t byte) { return format("<0x%02X>", unsigned{byte}); }

std::optional<std::uint8_t> byte_of_token_text(std::string_view text) {
  constexpr std::size_t kDigits = 3;  // after "<0x"
  std::byte byte;
  if (text.size() < kDigits + 2 || !from_hex(text.substr(kDigits, 2), std::span(&byte, 1)))
    return std::nullopt;
  const auto value = std::to_integer<std::uint8_t>(byte);
  return text == byte_token_text(value) ? std::optional(value) : std::nullopt;
}

bool is_plain(TokenType type) { return type != TokenType::kControl && type != TokenType::kUnknown; }

}  // namespace

Result<Vocabulary> Vocabulary::create(std::span<const std::string_view> texts,
                                      std::span<const std::int64_t> types) {
  if (texts.empty() || texts.size() > std::size_t{std::numeric_limits<TokenId>::max()})
    return make_error(ErrorCode::kBadInput, "%s has %zu tokens, expected 1 to %d", kTokensKey,
                      texts.size(), std::numeric_limits<TokenId>::max());
  if (!types.empty() && types.size() != texts.size())
    return make_error(ErrorCode::kBadInput, "%s has %zu types for the %zu tokens of %s", kTypesKey,
                      types.size(), texts.size(), kTokensKey);

  Vocabulary vocabulary;
  std::size_t num_bytes = 0;
  for (const std::string_view text : texts) num_bytes += text.size();
  vocabulary.arena_.reserve(num_bytes);
  vocabulary.offsets_.reserve(texts.size() + 1);
  vocabulary.types_.reserve(texts.size());
  vocabulary.slots_.assign(std::bit_ceil(2 * texts.size()), kNoToken);
  vocabulary.offsets_.push_back(0);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::int64_t type = types.empty() ? std::int64_t{1} : types[i];
    if (type < 1 || type > 6)
      return make_error(ErrorCode::kBadInput, "%s of token %zu is %lld, expected 1 to 6", kTypesKey,
                        i, static_cast<long long>(type));
    vocabulary.arena_ += texts[i];
    vocabulary.offsets_.push_back(vocabulary.arena_.size());
    vocabulary.types_.push_back(static_cast<TokenType>(type));
    if (vocabulary.types_[i] == TokenType::kByte && !byte_of_token_text(texts[i]))
      return make_error(ErrorCode::kBadInput,
                        "%s: token %zu is a byte token spelled %s, expected <0x00> to <0xFF>",
                        kTokensKey, i, quoted(texts[i]).c_str());
    if (!vocabulary.index(static_cast<TokenId>(i)))
      return make_error(ErrorCode::kBadInput, "%s: token %zu, %s, is token %d again", kTokensKey, i,
                        quoted(texts[i]).c_str(), vocabulary.find(texts[i]));
  }
  return vocabulary;
}

bool Vocabulary::index(TokenId token) {
  const std::string_view own_text = text(token);
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_of(own_text) & mask;
  for (; slots_[slot] != kNoToken; slot = (slot + 1) & mask)
    if (text(slots_[slot]) == own_text) return false;
  slots_[slot] = token;
  return true;
}

std::string_view Vocabulary::text(TokenId token) const {
  const auto i = static_cast<std::size_t>(token);
  return std::string_view(arena_).substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
}

TokenId Vocabulary::find(std::string_view wanted) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_of(wanted) & mask;
  while (slots_[slot] != kNoToken && text(slots_[slot]) != wanted) slot = (slot + 1) & mask;
  return slots_[slot];
}

TokenId Vocabulary::find_plain(std::string_view wanted) const {
  const TokenId token = find(wanted);
  return token != kNoToken && is_plain(type(token)) ? token : kNoToken;
}

TokenId Vocabulary::find_byte(std::uint8_t byte) const {
  std::string character;
  append_alphabet_text(std::string(1, static_cast<char>(byte)), character);
  const TokenId token = find_plain(character);
  return token != kNoToken ? token : find_byte_token(byte);
}

TokenId Vocabulary::find_byte_token(std::uint8_t byte) const {
  const TokenId token = find(byte_token_text(byte));
  return token != kNoToken && type(token) == TokenType::kByte ? token : kNoToken;
}

std::string Vocabulary::bytes(TokenId token) const {
  const std::string_view own_text = text(token);
  if (type(token) == TokenType::kByte)
    return std::string(1, static_cast<char>(*byte_of_token_text(own_text)));
  if (type(token) == TokenType::kNormal)
    if (auto bytes = bytes_of_alphabet_text(own_text)) return *std::move(bytes);
  return std::string(own_text);
}

}  // namespace bankai::model
