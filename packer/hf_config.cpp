#include "packer/hf_config.h"

#include <array>
#include <cmath>
#include <filesystem>

#include "core/format.h"
#include "packer/json_tree.h"

namespace bankai::packer {
namespace {

constexpr std::uint64_t kMaxDimension = std::uint64_t{1} << 24U;
constexpr std::uint64_t kMaxLayers = 4096;
constexpr std::uint64_t kMaxContext = std::uint64_t{1} << 31U;

// The first entry that fits counts.
constexpr std::array<HfFamily, 7> kFamilies = {{
    {"llama", "", "llama", "model.", false, false, false, true},
    {"mistral", "", "llama", "model.", false, false, false, true},
    {"qwen2", "", "qwen2", "model.", false, false, true, false},
    {"qwen3", "", "qwen3", "model.", true, false, false, false},
    {"bitnet", "relu2", "bitnet-b1.58", "model.", false, true, false, false},
    {"bitnet", "", "bitnet", "model.", false, true, false, false},
    {"banana_kv1", "", "llama", "", false, false, false, false},
}};

Result<HfFamily> find_family(const JsonTree& config) {
  BANKAI_ASSIGN_OR_RETURN(const std::string type, config.text_of("model_type", ""));
  BANKAI_ASSIGN_OR_RETURN(const std::string activation, config.text_of("hidden_act", "silu"));
  std::string known;
  for (const HfFamily& family : kFamilies) {
    if (known.find(family.model_type) == std::string::npos)
      known.append(known.empty() ? "" : ", ").append(family.model_type);
    if (family.model_type != type) continue;
    const bool is_silu = activation == "silu" || activation == "swish";
    if (family.hidden_act.empty() ? is_silu : activation == family.hidden_act) return family;
  }
  return make_error(ErrorCode::kUnsupported,
                    "%s: model_type %s with hidden_act %s cannot be converted; known: %s",
                    config.where().c_str(), bankai::quoted(type).c_str(),
                    bankai::quoted(activation).c_str(), known.c_str());
}

// A count between 1 and `limit`. 0 as fallback: the key must be there.
Result<std::uint64_t> count_of(const JsonTree& config, const char* key, std::uint64_t limit,
                               std::uint64_t fallback = 0) {
  if (fallback == 0 && !config.find(key))
    return make_error(ErrorCode::kBadInput, "%s: '%s' is missing", config.where().c_str(), key);
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t count, config.whole_number_of(key, fallback));
  if (count == 0 || count > limit)
    return make_error(ErrorCode::kBadInput, "%s: '%s' is %llu, expected 1 to %llu",
                      config.where().c_str(), key, static_cast<unsigned long long>(count),
                      static_cast<unsigned long long>(limit));
  return count;
}

Result<double> positive_of(const JsonTree& config, const char* key, double fallback) {
  BANKAI_ASSIGN_OR_RETURN(const double value, config.number_of(key, fallback));
  if (!(value > 0.0) || !std::isfinite(value))
    return make_error(ErrorCode::kBadInput, "%s: '%s' is %g, expected a positive number",
                      config.where().c_str(), key, value);
  return value;
}

Result<std::optional<double>> optional_positive(const JsonTree& config, const char* key) {
  if (!config.find(key)) return std::optional<double>();
  BANKAI_ASSIGN_OR_RETURN(const double value, positive_of(config, key, 1.0));
  return std::optional<double>(value);
}

Status read_dimensions(const JsonTree& config, HfConfig& out) {
  BANKAI_ASSIGN_OR_RETURN(out.num_layers, count_of(config, "num_hidden_layers", kMaxLayers));
  BANKAI_ASSIGN_OR_RETURN(out.embedding, count_of(config, "hidden_size", kMaxDimension));
  BANKAI_ASSIGN_OR_RETURN(out.feed_forward, count_of(config, "intermediate_size", kMaxDimension));
  BANKAI_ASSIGN_OR_RETURN(out.num_heads, count_of(config, "num_attention_heads", kMaxDimension));
  BANKAI_ASSIGN_OR_RETURN(out.num_kv_heads,
                          count_of(config, "num_key_value_heads", kMaxDimension, out.num_heads));
  const std::uint64_t even_share = out.embedding / out.num_heads;
  BANKAI_ASSIGN_OR_RETURN(out.head_dim, count_of(config, "head_dim", kMaxDimension, even_share));
  BANKAI_ASSIGN_OR_RETURN(out.vocabulary, count_of(config, "vocab_size", kMaxDimension));
  BANKAI_ASSIGN_OR_RETURN(out.context, count_of(config, "max_position_embeddings", kMaxContext));
  if (out.num_heads % out.num_kv_heads != 0 || out.head_dim % 2 != 0)
    return make_error(ErrorCode::kBadInput,
                      "%s: %llu heads of %llu, %llu of them for keys: expected even heads that "
                      "share keys evenly",
                      config.where().c_str(), static_cast<unsigned long long>(out.num_heads),
                      static_cast<unsigned long long>(out.head_dim),
                      static_cast<unsigned long long>(out.num_kv_heads));
  return {};
}

Status read_llama3(const JsonTree& scaling, HfConfig& out) {
  BANKAI_ASSIGN_OR_RETURN(out.rope_low_frequency, positive_of(scaling, "low_freq_factor", 1.0));
  BANKAI_ASSIGN_OR_RETURN(out.rope_high_frequency, positive_of(scaling, "high_freq_factor", 4.0));
  if (out.rope_low_frequency < out.rope_high_frequency) return {};
  return make_error(ErrorCode::kBadInput,
                    "%s: 'low_freq_factor' is %g, expected less than 'high_freq_factor', %g",
                    scaling.where().c_str(), out.rope_low_frequency, out.rope_high_frequency);
}

Status read_rope(const JsonTree& config, HfConfig& out) {
  // Newer files keep everything about the rotation in one object.
  const std::optional<JsonTree> parameters = config.find("rope_parameters");
  const JsonTree& theta_at = parameters && parameters->find("rope_theta") ? *parameters : config;
  BANKAI_ASSIGN_OR_RETURN(out.rope_theta, positive_of(theta_at, "rope_theta", 10000.0));
  BANKAI_ASSIGN_OR_RETURN(const double rotated, config.number_of("partial_rotary_factor", 1.0));
  if (rotated != 1.0)
    return make_error(ErrorCode::kUnsupported, "%s: 'partial_rotary_factor' is %g, expected 1",
                      config.where().c_str(), rotated);
  const std::optional<JsonTree> scaling = parameters ? parameters : config.find("rope_scaling");
  if (!scaling) return {};
  BANKAI_ASSIGN_OR_RETURN(const std::string old_type, scaling->text_of("type", "default"));
  BANKAI_ASSIGN_OR_RETURN(const std::string type, scaling->text_of("rope_type", old_type));
  if (type == "default") return {};
  if (type != "linear" && type != "yarn" && type != "llama3")
    return make_error(ErrorCode::kUnsupported,
                      "%s: the rotary scaling is %s; known are default, linear, yarn and llama3",
                      scaling->where().c_str(), bankai::quoted(type).c_str());
  out.rope_scaling = type;
  BANKAI_ASSIGN_OR_RETURN(out.rope_factor, positive_of(*scaling, "factor", 1.0));
  if (out.rope_factor < 1.0)
    return make_error(ErrorCode::kBadInput, "%s: 'factor' is %g, expected at least 1",
                      scaling->where().c_str(), out.rope_factor);
  if (type == "linear") return {};
  BANKAI_ASSIGN_OR_RETURN(
      out.rope_original_context,
      count_of(*scaling, "original_max_position_embeddings", kMaxContext, out.context));
  if (type == "llama3") return read_llama3(*scaling, out);
  BANKAI_ASSIGN_OR_RETURN(out.rope_attention_factor,
                          optional_positive(*scaling, "attention_factor"));
  BANKAI_ASSIGN_OR_RETURN(out.rope_beta_fast, optional_positive(*scaling, "beta_fast"));
  BANKAI_ASSIGN_OR_RETURN(out.rope_beta_slow, optional_positive(*scaling, "beta_slow"));
  return {};
}

Status check_plain(const JsonTree& config, const HfConfig& out) {
  for (const char* key : {"attention_bias", "mlp_bias", "use_sliding_window"}) {
    BANKAI_ASSIGN_OR_RETURN(const bool is_set, config.truth_of(key, false));
    if (is_set)
      return make_error(ErrorCode::kUnsupported, "%s: '%s' is set, which cannot be converted",
                        config.where().c_str(), key);
  }
  if (out.family.model_type != "mistral") return {};
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t window,
                          config.whole_number_of("sliding_window", out.context));
  if (window < out.context)
    return make_error(ErrorCode::kUnsupported,
                      "%s: 'sliding_window' is %llu of %llu tokens, which cannot be converted",
                      config.where().c_str(), static_cast<unsigned long long>(window),
                      static_cast<unsigned long long>(out.context));
  return {};
}

// What Hugging Face's own quantisers leave behind.
Status read_method(const JsonTree& config, HfConfig& out) {
  const std::optional<JsonTree> quantised = config.find("quantization_config");
  if (!quantised) return {};
  BANKAI_ASSIGN_OR_RETURN(const std::string method, quantised->text_of("quant_method", ""));
  if (method.empty()) return {};  // as MLX repeats its own
  if (method != "bitnet")
    return make_error(ErrorCode::kUnsupported,
                      "%s: 'quant_method' is %s; only bitnet can be converted",
                      quantised->where().c_str(), bankai::quoted(method).c_str());
  BANKAI_ASSIGN_OR_RETURN(const std::string layers,
                          quantised->text_of("linear_class", "bitlinear"));
  if (layers != "bitlinear" && layers != "autobitlinear")
    return make_error(ErrorCode::kUnsupported,
                      "%s: 'linear_class' is %s; known are bitlinear and autobitlinear",
                      quantised->where().c_str(), bankai::quoted(layers).c_str());
  out.bitnet_scale = layers == "bitlinear" ? BitnetScale::kDivides : BitnetScale::kMultiplies;
  return {};
}

Status read_quantisation(const JsonTree& config, HfConfig& out) {
  const std::optional<JsonTree> mlx = config.find("quantization");
  if (mlx) {
    BANKAI_ASSIGN_OR_RETURN(out.quantised_bits, count_of(*mlx, "bits", 32));
    BANKAI_ASSIGN_OR_RETURN(out.quantised_group, count_of(*mlx, "group_size", kMaxDimension));
    if (out.quantised_bits != 1 || out.quantised_group != 128)
      return make_error(ErrorCode::kUnsupported,
                        "%s: %llu bits in groups of %llu; only 1 bit in groups of 128 is known",
                        mlx->where().c_str(), static_cast<unsigned long long>(out.quantised_bits),
                        static_cast<unsigned long long>(out.quantised_group));
  }
  return read_method(config, out);
}

// The first of several, where there are several.
Result<std::optional<std::uint64_t>> token_id(const JsonTree& config, const char* key) {
  std::optional<JsonTree> value = config.find(key);
  if (value && value->is_list()) {
    BANKAI_ASSIGN_OR_RETURN(const std::vector<JsonTree> several, value->items());
    value = several.empty() ? std::nullopt : std::optional<JsonTree>(several.front());
  }
  if (!value) return std::optional<std::uint64_t>();
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t id, value->whole_number());
  return std::optional<std::uint64_t>(id);
}

std::string folder_name(const std::string& folder) {
  const std::filesystem::path path(folder);
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

}  // namespace

const HfFamily* find_hf_family(std::string_view architecture) {
  for (const HfFamily& family : kFamilies)
    if (family.architecture == architecture) return &family;
  return nullptr;
}

Result<HfConfig> read_hf_config(const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / "config.json").string();
  BANKAI_ASSIGN_OR_RETURN(const JsonTree config, JsonTree::read(path));
  HfConfig out;
  BANKAI_ASSIGN_OR_RETURN(out.family, find_family(config));
  out.name = folder_name(folder);
  BANKAI_RETURN_IF_ERROR(read_dimensions(config, out));
  const double epsilon = out.family.model_type == "banana_kv1" ? 1e-5 : 1e-6;
  BANKAI_ASSIGN_OR_RETURN(out.rms_epsilon, positive_of(config, "rms_norm_eps", epsilon));
  const bool tied = out.family.model_type == "banana_kv1";
  BANKAI_ASSIGN_OR_RETURN(out.tied, config.truth_of("tie_word_embeddings", tied));
  BANKAI_RETURN_IF_ERROR(read_rope(config, out));
  BANKAI_RETURN_IF_ERROR(check_plain(config, out));
  BANKAI_RETURN_IF_ERROR(read_quantisation(config, out));
  BANKAI_ASSIGN_OR_RETURN(out.bos, token_id(config, "bos_token_id"));
  BANKAI_ASSIGN_OR_RETURN(out.eos, token_id(config, "eos_token_id"));
  return out;
}

}  // namespace bankai::packer
