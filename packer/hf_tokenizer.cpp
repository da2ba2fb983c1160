#include "packer/hf_tokenizer.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

#include "core/format.h"
#include "core/mapped_file.h"
#include "model/pretokenizer.h"
#include "model/vocabulary.h"
#include "packer/hf_pieces.h"
#include "packer/hf_pretokenizer.h"
#include "packer/json_tree.h"

namespace bankai::packer {
namespace {

using model::TokenType;
using Id = std::optional<std::uint64_t>;

unsigned long long printable(std::uint64_t value) { return value; }

// Takes the tokens in any order and refuses two for one id.
class TokenList {
 public:
  TokenList(std::string source, std::uint64_t size)
      : source_(std::move(source)), tokens_(size), types_(size, 0) {}

  Status add(std::uint64_t id, std::string text, TokenType type) {
    if (id >= tokens_.size())
      return make_error(
          ErrorCode::kBadInput, "%s: token %s has the id %llu, but the embedding has only %zu rows",
          source_.c_str(), bankai::quoted(text).c_str(), printable(id), tokens_.size());
    if (types_[id] != 0 && tokens_[id] != text)
      return make_error(ErrorCode::kBadInput, "%s: the tokens %s and %s both have the id %llu",
                        source_.c_str(), bankai::quoted(tokens_[id]).c_str(),
                        bankai::quoted(text).c_str(), printable(id));
    tokens_[id] = std::move(text);
    types_[id] = static_cast<std::int32_t>(type);
    return {};
  }

  // Names what no token has taken: rows that only make the embedding's size round.
  void finish(HfTokenizer& out) {
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (types_[id] != 0) continue;
      tokens_[id] = "[PAD" + std::to_string(id) + "]";
      types_[id] = static_cast<std::int32_t>(TokenType::kUnused);
    }
    out.tokens = std::move(tokens_);
    out.types = std::move(types_);
  }

 private:
  std::string source_;
  std::vector<std::string> tokens_;
  std::vector<std::int32_t> types_;  // 0: no token yet
};

Status check_model(const JsonTree& bpe) {
  BANKAI_ASSIGN_OR_RETURN(const std::string type, bpe.text_of("type", "BPE"));
  if (type != "BPE")
    return make_error(ErrorCode::kUnsupported, "%s is of the type %s; only BPE can be converted",
                      bpe.where().c_str(), bankai::quoted(type).c_str());
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    BANKAI_ASSIGN_OR_RETURN(const std::string text, bpe.text_of(key, ""));
    if (!text.empty())
      return make_error(ErrorCode::kUnsupported, "%s: '%s' is %s, expected nothing",
                        bpe.where().c_str(), key, bankai::quoted(text).c_str());
  }
  return {};
}

Status check_normalizer(const JsonTree& tokenizer) {
  const auto normalizer = tokenizer.find("normalizer");
  if (!normalizer) return {};
  BANKAI_ASSIGN_OR_RETURN(const std::string type, normalizer->text_of("type", ""));
  if (type == "NFC") return {};  // which GGUF's byte-level tokenizers leave out
  return make_error(ErrorCode::kUnsupported, "%s is %s; only NFC or none can be converted",
                    normalizer->where().c_str(), bankai::quoted(type).c_str());
}

Status read_tokens(const JsonTree& tokenizer, const JsonTree& bpe, TokenList& tokens) {
  const auto vocabulary = bpe.find("vocab");
  if (!vocabulary)
    return make_error(ErrorCode::kBadInput, "%s: 'vocab' is missing", bpe.where().c_str());
  BANKAI_ASSIGN_OR_RETURN(const auto members, vocabulary->members());
  for (const auto& [text, value] : members) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t id, value.whole_number());
    BANKAI_RETURN_IF_ERROR(tokens.add(id, text, TokenType::kNormal));
  }
  const auto added = tokenizer.find("added_tokens");
  if (!added) return {};
  BANKAI_ASSIGN_OR_RETURN(const auto items, added->items());
  for (const JsonTree& item : items) {
    const auto id = item.find("id");
    const auto content = item.find("content");
    if (!id || !content)
      return make_error(ErrorCode::kBadInput, "%s lacks 'id' or 'content'", item.where().c_str());
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t number, id->whole_number());
    BANKAI_ASSIGN_OR_RETURN(std::string text, content->text());
    BANKAI_ASSIGN_OR_RETURN(const bool special, item.truth_of("special", false));
    BANKAI_RETURN_IF_ERROR(tokens.add(number, std::move(text),
                                      special ? TokenType::kControl : TokenType::kUserDefined));
  }
  return {};
}

// "left right", or a list of both.
Result<std::string> read_merge(const JsonTree& item) {
  if (item.is_text()) return item.text();
  BANKAI_ASSIGN_OR_RETURN(const std::vector<JsonTree> parts, item.items());
  std::string merge;
  for (const JsonTree& part : parts) {
    BANKAI_ASSIGN_OR_RETURN(const std::string text, part.text());
    if (parts.size() != 2 || text.empty() || text.find(' ') != std::string::npos)
      return make_error(ErrorCode::kBadInput, "%s: expected two parts without spaces",
                        item.where().c_str());
    merge += (merge.empty() ? "" : " ") + text;
  }
  return merge;
}

Status read_merges(const JsonTree& bpe, HfTokenizer& out) {
  const auto merges = bpe.find("merges");
  if (!merges)
    return make_error(ErrorCode::kBadInput, "%s: 'merges' is missing", bpe.where().c_str());
  BANKAI_ASSIGN_OR_RETURN(const auto items, merges->items());
  out.merges.reserve(items.size());
  for (const JsonTree& item : items) {
    BANKAI_ASSIGN_OR_RETURN(std::string merge, read_merge(item));
    out.merges.push_back(std::move(merge));
  }
  return {};
}

Id id_of(const HfTokenizer& tokenizer, std::string_view text) {
  const auto found = std::find(tokenizer.tokens.begin(), tokenizer.tokens.end(), text);
  if (text.empty() || found == tokenizer.tokens.end()) return std::nullopt;
  return static_cast<std::uint64_t>(found - tokenizer.tokens.begin());
}

// Does the template of what surrounds a text begin with the BOS token?
Status read_post_processor(const JsonTree& tokenizer, HfTokenizer& out) {
  const auto processor = tokenizer.find("post_processor");
  if (!processor) return {};
  std::vector<JsonTree> steps{*processor};
  if (const auto several = processor->find("processors")) {
    BANKAI_ASSIGN_OR_RETURN(steps, several->items());
  }
  for (const JsonTree& step : steps) {
    const auto single = step.find("single");
    if (!single) continue;
    BANKAI_ASSIGN_OR_RETURN(const auto items, single->items());
    const auto token = items.empty() ? std::nullopt : items.front().find("SpecialToken");
    if (!token) continue;
    BANKAI_ASSIGN_OR_RETURN(const std::string text, token->text_of("id", ""));
    const Id id = id_of(out, text);
    if (id && id == out.bos) out.adds_bos = true;
  }
  return {};
}

// "bos_token": a text, or an object with its "content".
Status read_special_token(const JsonTree& config, const char* key, const HfTokenizer& tokenizer,
                          Id& out) {
  const auto value = config.find(key);
  if (!value) return {};
  BANKAI_ASSIGN_OR_RETURN(const std::string text,
                          value->is_object() ? value->text_of("content", "") : value->text());
  if (const Id id = id_of(tokenizer, text)) out = id;
  return {};
}

Status read_chat_template(const JsonTree& config, HfTokenizer& out) {
  const auto value = config.find("chat_template");
  if (!value || !value->is_text()) return {};  // a list of several has no place in GGUF
  BANKAI_ASSIGN_OR_RETURN(out.chat_template, value->text());
  return {};
}

Status read_tokenizer_config(const std::string& path, HfTokenizer& out) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return {};
  BANKAI_ASSIGN_OR_RETURN(const JsonTree config, JsonTree::read(path));
  BANKAI_RETURN_IF_ERROR(read_special_token(config, "bos_token", out, out.bos));
  BANKAI_RETURN_IF_ERROR(read_special_token(config, "eos_token", out, out.eos));
  BANKAI_RETURN_IF_ERROR(read_special_token(config, "pad_token", out, out.padding));
  BANKAI_RETURN_IF_ERROR(read_special_token(config, "unk_token", out, out.unknown));
  if (config.find("add_bos_token")) {
    BANKAI_ASSIGN_OR_RETURN(out.adds_bos, config.truth_of("add_bos_token", false));
  }
  return read_chat_template(config, out);
}

// A second end-of-text token of the generation settings ends a turn.
Status read_generation_config(const std::string& path, HfTokenizer& out) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return {};
  BANKAI_ASSIGN_OR_RETURN(const JsonTree config, JsonTree::read(path));
  const auto ends = config.find("eos_token_id");
  if (!ends || !ends->is_list()) return {};
  BANKAI_ASSIGN_OR_RETURN(const auto items, ends->items());
  for (const JsonTree& item : items) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t id, item.whole_number());
    if (out.eos != id && !out.end_of_turn) out.end_of_turn = id;
  }
  return {};
}

Status check_ids(const std::string& source, HfTokenizer& out) {
  for (Id* id : {&out.bos, &out.eos, &out.padding, &out.unknown, &out.end_of_turn})
    if (*id && **id >= out.tokens.size())
      return make_error(ErrorCode::kBadInput, "%s: a special token has the id %llu of %zu",
                        source.c_str(), printable(**id), out.tokens.size());
  return {};
}

// GGUF says by the pre-tokenizer's name whether a whole word that is a token skips the merges.
Status check_rule(const JsonTree& bpe, const std::string& pre) {
  BANKAI_ASSIGN_OR_RETURN(const bool whole_words, bpe.truth_of("ignore_merges", false));
  for (const model::PreTokenizerRule& rule : model::pre_tokenizer_rules())
    if (rule.name == pre && rule.whole_words_first != whole_words)
      return make_error(ErrorCode::kUnsupported,
                        "%s: 'ignore_merges' is %s, which the pre-tokenizer %s does not do",
                        bpe.where().c_str(), whole_words ? "true" : "false", pre.c_str());
  return {};
}

}  // namespace

Result<HfTokenizer> parse_hf_tokenizer(const JsonTree& tokenizer, std::uint64_t vocabulary,
                                       const std::string& pre, std::optional<std::uint64_t> bos) {
  const auto bpe = tokenizer.find("model");
  if (!bpe)
    return make_error(ErrorCode::kBadInput, "%s: 'model' is missing", tokenizer.where().c_str());
  HfTokenizer out;
  out.pre = pre;
  out.bos = bos;
  BANKAI_RETURN_IF_ERROR(check_model(*bpe));
  BANKAI_RETURN_IF_ERROR(check_normalizer(tokenizer));
  if (pre.empty()) {
    BANKAI_ASSIGN_OR_RETURN(out.pre, find_pre_tokenizer(tokenizer));
  }
  BANKAI_RETURN_IF_ERROR(check_rule(*bpe, out.pre));
  TokenList tokens(tokenizer.where(), vocabulary);
  BANKAI_RETURN_IF_ERROR(read_tokens(tokenizer, *bpe, tokens));
  tokens.finish(out);
  BANKAI_RETURN_IF_ERROR(read_merges(*bpe, out));
  BANKAI_RETURN_IF_ERROR(read_post_processor(tokenizer, out));
  return out;
}

Result<HfTokenizer> read_hf_tokenizer(const std::string& folder, const HfConfig& config,
                                      const std::string& pre) {
  const std::filesystem::path base(folder);
  const std::string path = (base / "tokenizer.json").string();
  HfTokenizer out;
  std::optional<JsonTree> tokenizer;
  if (has_hf_pieces(folder)) {
    BANKAI_ASSIGN_OR_RETURN(out, read_hf_pieces(folder, config.vocabulary));
  } else {
    BANKAI_ASSIGN_OR_RETURN(tokenizer, JsonTree::read(path));
    BANKAI_ASSIGN_OR_RETURN(out,
                            parse_hf_tokenizer(*tokenizer, config.vocabulary, pre, config.bos));
  }
  if (config.eos) out.eos = config.eos;
  BANKAI_RETURN_IF_ERROR(read_tokenizer_config((base / "tokenizer_config.json").string(), out));
  BANKAI_RETURN_IF_ERROR(read_generation_config((base / "generation_config.json").string(), out));
  // Once more, now that the BOS token is known for certain.
  if (tokenizer && !out.adds_bos) BANKAI_RETURN_IF_ERROR(read_post_processor(*tokenizer, out));
  BANKAI_RETURN_IF_ERROR(check_ids(path, out));
  std::error_code error;
  const std::string chat = (base / "chat_template.jinja").string();
  if (out.chat_template.empty() && std::filesystem::exists(chat, error)) {
    BANKAI_ASSIGN_OR_RETURN(out.chat_template, read_file(chat));
  }
  return out;
}

void add_tokenizer(model::GgufBuilder& builder, const HfTokenizer& tokenizer) {
  const bool is_pieces = !tokenizer.scores.empty();
  builder.add_string("tokenizer.ggml.model", is_pieces ? "llama" : "gpt2");
  builder.add_string("tokenizer.ggml.pre", is_pieces ? "default" : tokenizer.pre);
  builder.add_strings("tokenizer.ggml.tokens", tokenizer.tokens);
  builder.add_array<std::int32_t>("tokenizer.ggml.token_type", tokenizer.types);
  if (is_pieces) {
    builder.add_array<float>("tokenizer.ggml.scores", tokenizer.scores);
    builder.add<bool>("tokenizer.ggml.add_space_prefix", tokenizer.adds_space);
  } else {
    builder.add_strings("tokenizer.ggml.merges", tokenizer.merges);
  }
  const std::pair<const char*, Id> ids[] = {
      {"bos_token_id", tokenizer.bos},         {"eos_token_id", tokenizer.eos},
      {"padding_token_id", tokenizer.padding}, {"unknown_token_id", tokenizer.unknown},
      {"eot_token_id", tokenizer.end_of_turn},
  };
  for (const auto& [key, id] : ids)
    if (id)
      builder.add<std::uint32_t>(std::string("tokenizer.ggml.") + key,
                                 static_cast<std::uint32_t>(*id));
  if (tokenizer.adds_bos) builder.add<bool>("tokenizer.ggml.add_bos_token", *tokenizer.adds_bos);
  if (!tokenizer.chat_template.empty())
    builder.add_string("tokenizer.chat_template", tokenizer.chat_template);
}

}  // namespace bankai::packer
