#include "model/tokenizer_metadata.h"

#include "core/format.h"

namespace bankai::model {
namespace {

constexpr const char* kModelKey = "tokenizer.ggml.model";
constexpr const char* kPreKey = "tokenizer.ggml.pre";
constexpr const char* kTokensKey = "tokenizer.ggml.tokens";
constexpr const char* kTypesKey = "tokenizer.ggml.token_type";
constexpr const char* kMergesKey = "tokenizer.ggml.merges";
constexpr const char* kAddBosKey = "tokenizer.ggml.add_bos_token";

Result<std::vector<std::string_view>> get_strings(const GgufFile& file, const char* key) {
  const GgufValue* value = file.find_value(key);
  if (value == nullptr)
    return make_error(ErrorCode::kBadInput, "%s: %s is missing", file.path().c_str(), key);
  auto strings = value->as_strings();
  if (!strings.ok()) return with_context(std::move(strings).error(), file.path());
  return strings;
}

}  // namespace

Result<TokenizerMetadata> read_tokenizer_metadata(const GgufFile& file) {
  BANKAI_ASSIGN_OR_RETURN(const std::string model, file.get_string(kModelKey));
  if (model != "gpt2")
    return make_error(ErrorCode::kUnsupported,
                      "%s: %s is %s, and only 'gpt2' (byte-level BPE) is supported",
                      file.path().c_str(), kModelKey, quoted(model).c_str());
  TokenizerMetadata metadata;
  metadata.source = file.path();
  // No default: guessing the pre-tokenizer gives wrong tokens without a warning.
  BANKAI_ASSIGN_OR_RETURN(metadata.pre, file.get_string(kPreKey));
  BANKAI_ASSIGN_OR_RETURN(metadata.tokens, get_strings(file, kTokensKey));
  BANKAI_ASSIGN_OR_RETURN(metadata.merges, get_strings(file, kMergesKey));
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
