#include "model/tokenizer_metadata.h"

#include "core/format.h"

namespace bankai::model {
namespace {

constexpr const char* kModelKey = "tokenizer.ggml.model";
constexpr const char* kPreKey = "tokenizer.ggml.pre";
constexpr const char* kTokensKey = "tokenizer.ggml.tokens";
constexpr const char* kTypesKey = "tokenizer.ggml.token_type";
constexpr const char* kMergesKey = "tokenizer.ggml.merges";
constexpr const char* kScoresKey = "tokenizer.ggml.scores";
constexpr const char* kAddBosKey = "tokenizer.ggml.add_bos_token";
constexpr const char* kAddSpaceKey = "tokenizer.ggml.add_space_prefix";

Result<std::vector<std::string_view>> get_strings(const GgufFile& file, const char* key) {
  const GgufValue* value = file.find_value(key);
  if (value == nullptr)
    return make_error(ErrorCode::kBadInput, "%s: %s is missing", file.path().c_str(), key);
  auto strings = value->as_strings();
  if (!strings.ok()) return with_context(std::move(strings).error(), file.path());
  return strings;
}

Status read_pieces(const GgufFile& file, TokenizerMetadata& metadata) {
  metadata.kind = TokenizerKind::kPieces;
  metadata.unknown = 0;
  if (metadata.tokens.size() > 2) {
    metadata.bos = 1;
    metadata.eos = 2;
  }
  const GgufValue* value = file.find_value(kScoresKey);
  if (value == nullptr)
    return make_error(ErrorCode::kBadInput, "%s: %s is missing", file.path().c_str(), kScoresKey);
  auto scores = value->as_floats();
  if (!scores.ok()) return with_context(std::move(scores).error(), file.path());
  metadata.scores = std::move(scores).value();
  if (file.find_value(kAddSpaceKey) != nullptr) {
    BANKAI_ASSIGN_OR_RETURN(metadata.adds_space, file.get_bool(kAddSpaceKey));
  }
  return {};
}

}  // namespace

Result<TokenizerMetadata> read_tokenizer_metadata(const GgufFile& file) {
  BANKAI_ASSIGN_OR_RETURN(const std::string model, file.get_string(kModelKey));
  if (model != "gpt2" && model != "llama")
    return make_error(ErrorCode::kUnsupported,
                      "%s: %s is %s, and only 'gpt2' (byte-level BPE) and 'llama' (SentencePiece's "
                      "BPE) are supported",
                      file.path().c_str(), kModelKey, quoted(model).c_str());
  TokenizerMetadata metadata;
  metadata.source = file.path();
  BANKAI_ASSIGN_OR_RETURN(metadata.tokens, get_strings(file, kTokensKey));
  if (model == "llama") {
    BANKAI_RETURN_IF_ERROR(read_pieces(file, metadata));
  } else {
    // No default: guessing the pre-tokenizer gives wrong tokens without a warning.
    BANKAI_ASSIGN_OR_RETURN(metadata.pre, file.get_string(kPreKey));
    BANKAI_ASSIGN_OR_RETURN(metadata.merges, get_strings(file, kMergesKey));
  }
  if (const GgufValue* types = file.find_value(kTypesKey); types != nullptr) {
    auto integers = types->as_integers();
    if (!integers.ok()) return with_context(std::move(integers).error(), file.path());
    metadata.types = std::move(integers).value();
  }
  for (const TokenIdKey& id : kTokenIdKeys) {
    if (file.find_value(id.key) == nullptr) continue;
    BANKAI_ASSIGN_OR_RETURN(metadata.*id.member, file.get_unsigned(id.key));
  }
  if (file.find_value(kAddBosKey) != nullptr) {
    BANKAI_ASSIGN_OR_RETURN(metadata.adds_bos, file.get_bool(kAddBosKey));
  }
  return metadata;
}

}  // namespace bankai::model
