#include "packer/hf_write.h"

#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/format.h"
#include "kernels/scalar_math.h"
#include "model/pretokenizer.h"
#include "model/vocabulary.h"
#include "packer/hf_pretokenizer.h"

namespace bankai::packer {
namespace {

using Json = nlohmann::ordered_json;
using model::TokenType;

std::string text_of(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json scaling_json(const model::RopeParameters& rope) {
  if (rope.scaling == model::RopeScaling::kLinear)
    return {{"rope_type", "linear"}, {"factor", rope.factor}};
  const double attention = rope.attention_factor * (1.0 + 0.1 * kernels::log_f64(rope.factor));
  return {{"rope_type", "yarn"},
          {"factor", rope.factor},
          {"original_max_position_embeddings", static_cast<std::uint64_t>(rope.original_context)},
          {"attention_factor", attention},
          {"beta_fast", rope.beta_fast},
          {"beta_slow", rope.beta_slow}};
}

TokenType type_of(const model::TokenizerMetadata& tokenizer, std::size_t id) {
  return tokenizer.types.empty() ? TokenType::kNormal : static_cast<TokenType>(tokenizer.types[id]);
}

}  // namespace

std::string config_json(const HfFamily& family, const model::Hyperparameters& h, bool tied,
                        const model::TokenizerMetadata& tokenizer) {
  Json json = {{"model_type", std::string(family.model_type)},
               {"hidden_act", family.hidden_act.empty() ? "silu" : std::string(family.hidden_act)},
               {"hidden_size", h.embedding},
               {"intermediate_size", h.feed_forward},
               {"num_hidden_layers", h.num_layers},
               {"num_attention_heads", h.num_heads},
               {"num_key_value_heads", h.num_kv_heads},
               {"head_dim", h.head_dim},
               {"vocab_size", h.vocabulary},
               {"max_position_embeddings", h.context},
               {"rms_norm_eps", static_cast<double>(h.rms_epsilon)},
               {"rope_theta", h.rope.freq_base},
               {"tie_word_embeddings", tied},
               {"quantization", {{"group_size", 128}, {"bits", 1}}}};
  if (h.rope.scaling != model::RopeScaling::kNone) json["rope_scaling"] = scaling_json(h.rope);
  if (tokenizer.bos) json["bos_token_id"] = *tokenizer.bos;
  if (tokenizer.eos) json["eos_token_id"] = *tokenizer.eos;
  return text_of(json, 2);
}

Result<std::string> tokenizer_json(const model::TokenizerMetadata& tokenizer) {
  if (tokenizer.kind != model::TokenizerKind::kByteLevel)
    return make_error(ErrorCode::kUnsupported,
                      "%s: a SentencePiece vocabulary cannot be written as tokenizer.json",
                      tokenizer.source.c_str());
  const std::string steps = pre_tokenizer_json(tokenizer.pre);
  if (steps.empty())
    return make_error(ErrorCode::kUnsupported, "%s: the pre-tokenizer %s cannot be written",
                      tokenizer.source.c_str(), bankai::quoted(tokenizer.pre).c_str());
  Json added = Json::array();
  Json vocabulary = Json::object();
  // Members without the search for duplicates that operator[] makes: the reader checked them.
  auto& members = vocabulary.get_ref<Json::object_t&>();
  for (std::size_t id = 0; id < tokenizer.tokens.size(); ++id) {
    const TokenType type = type_of(tokenizer, id);
    if (type == TokenType::kUnused) continue;
    const std::string text(tokenizer.tokens[id]);
    if (type == TokenType::kNormal)
      members.emplace_back(text, id);
    else
      added.push_back({{"id", id},
                       {"content", text},
                       {"special", type != TokenType::kUserDefined},
                       {"normalized", false}});
  }
  Json merges = Json::array();
  for (const std::string_view merge : tokenizer.merges) merges.push_back(std::string(merge));
  bool whole_words = false;
  for (const model::PreTokenizerRule& rule : model::pre_tokenizer_rules())
    if (rule.name == tokenizer.pre) whole_words = rule.whole_words_first;
  return text_of({{"version", "1.0"},
                  {"added_tokens", std::move(added)},
                  {"normalizer", nullptr},
                  {"pre_tokenizer", Json::parse(steps)},
                  {"decoder", {{"type", "ByteLevel"}}},
                  {"model",
                   {{"type", "BPE"},
                    {"ignore_merges", whole_words},
                    {"vocab", std::move(vocabulary)},
                    {"merges", std::move(merges)}}}},
                 -1);
}

std::string tokenizer_config_json(const model::TokenizerMetadata& tokenizer) {
  Json json = Json::object();
  const std::pair<const char*, std::optional<std::uint64_t>> tokens[] = {
      {"bos_token", tokenizer.bos},
      {"eos_token", tokenizer.eos},
      {"pad_token", tokenizer.padding},
      {"unk_token", tokenizer.unknown}};
  for (const auto& [key, id] : tokens)
    if (id && *id < tokenizer.tokens.size()) json[key] = std::string(tokenizer.tokens[*id]);
  if (tokenizer.adds_bos) json["add_bos_token"] = *tokenizer.adds_bos;
  return text_of(json, 2);
}

}  // namespace bankai::packer
