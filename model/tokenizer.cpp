#include "model/tokenizer.h"

#include <algorithm>
#include <array>

#include "core/format.h"
#include "model/bpe.h"
#include "model/byte_alphabet.h"
#include "model/merges.h"
#include "model/pretokenizer.h"
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

// The token for each byte. Errors: kBadInput if there is none for some byte and no `unknown` token.
Result<std::array<TokenId, 256>> find_byte_tokens(const Vocabulary& vocabulary, TokenId unknown) {
  std::array<TokenId, 256> tokens;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const TokenId token = vocabulary.find_byte(static_cast<std::uint8_t>(byte));
    if (token == kNoToken && unknown == kNoToken)
      return make_error(ErrorCode::kBadInput,
                        "tokenizer.ggml.tokens has no token for byte 0x%02x, and the file names no "
                        "unknown token",
                        byte);
    tokens[byte] = token == kNoToken ? unknown : token;
  }
  return tokens;
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
  State(const TokenizerMetadata& metadata, Vocabulary tokens, MergeTable table,
        PreTokenizer splitter, const std::array<TokenId, 256>& tokens_of_bytes)
      : vocabulary(std::move(tokens)),
        special(vocabulary),
        merges(std::move(table)),
        pre_tokenizer(std::move(splitter)),
        byte_tokens(tokens_of_bytes),
        bos(to_token(metadata.bos)),
        eos(to_token(metadata.eos)),
        adds_bos(metadata.adds_bos.value_or(pre_tokenizer.rule().adds_bos)),
        is_end(find_ends(metadata, vocabulary)) {}
  State(const State&) = delete;  // `special` points to `vocabulary`
  State& operator=(const State&) = delete;

  // The working memory of one call of encode().
  struct Workspace {
    BpeMerger merger;
    std::vector<std::string_view> pieces;
    std::string spelling;
    std::vector<TokenId> word;
  };

  static Result<std::unique_ptr<State>> create(const TokenizerMetadata& metadata);

  // Both append to `out`; no special tokens are looked for.
  void encode_text(std::string_view text, Workspace& work, std::vector<TokenId>& out) const;
  void encode_piece(std::string_view piece, Workspace& work, std::vector<TokenId>& out) const;

  Vocabulary vocabulary;
  SpecialTokens special;
  MergeTable merges;
  PreTokenizer pre_tokenizer;
  std::array<TokenId, 256> byte_tokens;
  TokenId bos;
  TokenId eos;
  bool adds_bos;
  std::vector<bool> is_end;  // by token
};

Result<std::unique_ptr<Tokenizer::State>> Tokenizer::State::create(
    const TokenizerMetadata& metadata) {
  BANKAI_ASSIGN_OR_RETURN(PreTokenizer pre_tokenizer, PreTokenizer::create(metadata.pre));
  BANKAI_ASSIGN_OR_RETURN(Vocabulary vocabulary,
                          Vocabulary::create(metadata.tokens, metadata.types));
  BANKAI_RETURN_IF_ERROR(check_ids(metadata));
  BANKAI_ASSIGN_OR_RETURN(MergeTable merges, MergeTable::create(metadata.merges, vocabulary));
  BANKAI_ASSIGN_OR_RETURN(const auto byte_tokens,
                          find_byte_tokens(vocabulary, to_token(metadata.unknown)));
  return std::make_unique<State>(metadata, std::move(vocabulary), std::move(merges),
                                 std::move(pre_tokenizer), byte_tokens);
}

void Tokenizer::State::encode_text(std::string_view text, Workspace& work,
                                   std::vector<TokenId>& out) const {
  work.pieces.clear();
  pre_tokenizer.split(text, work.pieces);
  for (const std::string_view piece : work.pieces) encode_piece(piece, work, out);
}

void Tokenizer::State::encode_piece(std::string_view piece, Workspace& work,
                                    std::vector<TokenId>& out) const {
  if (pre_tokenizer.rule().whole_words_first) {
    work.spelling.clear();
    append_alphabet_text(piece, work.spelling);
    if (const TokenId token = vocabulary.find_plain(work.spelling); token != kNoToken) {
      out.push_back(token);
      return;
    }
  }
  work.word.clear();
  for (const char c : piece) work.word.push_back(byte_tokens[static_cast<std::uint8_t>(c)]);
  work.merger.merge(work.word);
  out.insert(out.end(), work.word.begin(), work.word.end());
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
  State::Workspace work{BpeMerger(state_->merges), {}, {}, {}};
  std::size_t begin = 0;
  for (const SpecialTokens::Match& match : state_->special.find(text, parse_special)) {
    state_->encode_text(text.substr(begin, match.begin - begin), work, tokens);
    tokens.push_back(match.token);
    begin = match.begin + match.num_bytes;
  }
  state_->encode_text(text.substr(begin), work, tokens);
  return tokens;
}

std::string Tokenizer::decode(TokenId token) const {
  BANKAI_CHECK(state_->vocabulary.contains(token), "decode() of an id outside the vocabulary");
  return state_->vocabulary.bytes(token);
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
