#include "model/tokenizer.h"

#include <algorithm>
#include <array>

#include "core/format.h"
#include "model/byte_level_coder.h"
#include "model/piece_coder.h"
#include "model/special_tokens.h"

namespace bankai::model {
namespace {

constexpr std::array<std::string_view, 4> kEndTexts = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>",
                                                       "</s>"};

TokenId to_token(const std::optional<std::uint64_t>& id) {
  return id ? static_cast<TokenId>(*id) : kNoToken;
}

Status check_ids(const TokenizerMetadata& metadata) {
  for (const TokenIdKey& id : kTokenIdKeys)
    if (const auto& value = metadata.*id.member; value && *value >= metadata.tokens.size())
      return make_error(ErrorCode::kBadInput, "%s is %llu, but the vocabulary has %zu tokens",
                        id.key, static_cast<unsigned long long>(*value), metadata.tokens.size());
  return Status();
}

std::vector<bool> find_ends(const TokenizerMetadata& metadata, const Vocabulary& vocabulary) {
  std::vector<bool> ends(vocabulary.size());
  for (const auto& id : {metadata.eos, metadata.end_of_turn, metadata.end_of_message})
    if (id) ends[*id] = true;
  for (const std::string_view text : kEndTexts)
    if (const TokenId token = vocabulary.find(text);
        token != kNoToken && vocabulary.type(token) == TokenType::kControl)
      ends[static_cast<std::size_t>(token)] = true;
  return ends;
}

}  // namespace

struct Tokenizer::State {
  State(const TokenizerMetadata& metadata, Vocabulary tokens)
      : vocabulary(std::move(tokens)),
        special(vocabulary),
        bos(to_token(metadata.bos)),
        eos(to_token(metadata.eos)),
        is_end(find_ends(metadata, vocabulary)) {}
  State(const State&) = delete;  // `special` and `coder` point to `vocabulary`
  State& operator=(const State&) = delete;

  static Result<std::unique_ptr<State>> create(const TokenizerMetadata& metadata);

  Vocabulary vocabulary;
  SpecialTokens special;
  std::unique_ptr<TextCoder> coder;
  TokenId bos;
  TokenId eos;
  bool adds_bos = false;
  std::vector<bool> is_end;  // by token
};

Result<std::unique_ptr<Tokenizer::State>> Tokenizer::State::create(
    const TokenizerMetadata& metadata) {
  BANKAI_ASSIGN_OR_RETURN(Vocabulary vocabulary,
                          Vocabulary::create(metadata.tokens, metadata.types));
  BANKAI_RETURN_IF_ERROR(check_ids(metadata));
  auto state = std::make_unique<State>(metadata, std::move(vocabulary));
  const bool is_pieces = metadata.kind == TokenizerKind::kPieces;
  BANKAI_ASSIGN_OR_RETURN(state->coder, is_pieces
                                            ? PieceCoder::create(metadata, state->vocabulary)
                                            : ByteLevelCoder::create(metadata, state->vocabulary));
  state->adds_bos = metadata.adds_bos.value_or(state->coder->adds_bos());
  return state;
}

Tokenizer::Tokenizer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::from_gguf(const GgufFile& file) {
  BANKAI_ASSIGN_OR_RETURN(const TokenizerMetadata metadata, read_tokenizer_metadata(file));
  return from_metadata(metadata);
}

Result<Tokenizer> Tokenizer::from_metadata(const TokenizerMetadata& metadata) {
  auto state = State::create(metadata);
  if (!state.ok()) return with_context(std::move(state).error(), metadata.source);
  return Tokenizer(std::move(state).value());
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool parse_special) const {
  std::vector<TokenId> tokens;
  std::size_t begin = 0;
  for (const SpecialTokens::Match& match : state_->special.find(text, parse_special)) {
    state_->coder->encode(text.substr(begin, match.begin - begin), tokens);
    tokens.push_back(match.token);
    begin = match.begin + match.num_bytes;
  }
  state_->coder->encode(text.substr(begin), tokens);
  return tokens;
}

std::string Tokenizer::decode(TokenId token) const {
  BANKAI_CHECK(state_->vocabulary.contains(token), "decode() of an id outside the vocabulary");
  return state_->coder->bytes(token);
}

std::string Tokenizer::decode(std::span<const TokenId> tokens) const {
  std::string bytes;
  for (const TokenId token : tokens) bytes += decode(token);
  return bytes;
}

std::size_t Tokenizer::vocabulary_size() const { return state_->vocabulary.size(); }
TokenId Tokenizer::eos() const { return state_->eos; }
TokenId Tokenizer::bos() const { return state_->bos; }
bool Tokenizer::adds_bos() const { return state_->adds_bos; }

bool Tokenizer::is_end_of_generation(TokenId token) const {
  return state_->vocabulary.contains(token) && state_->is_end[static_cast<std::size_t>(token)];
}

}  // namespace bankai::model
