#include "packer/hf_metadata.h"

#include <cmath>
#include <string>
#include <utility>

namespace bankai::packer {
namespace {

// Our YaRN multiplies cosines and sines by 1 + 0.1 ln(factor), and the key attn_factor besides;
// config.json gives the product.
double remaining_factor(const HfConfig& config) {
  if (!config.rope_attention_factor) return 1.0;
  return *config.rope_attention_factor / (1.0 + 0.1 * std::log(config.rope_factor));
}

void add_rope_scaling(model::GgufBuilder& builder, const std::string& prefix,
                      const HfConfig& config) {
  const auto add = [&](const char* name, double value) {
    builder.add<float>(prefix + "rope.scaling." + name, static_cast<float>(value));
  };
  if (config.rope_scaling.empty()) return;
  builder.add_string(prefix + "rope.scaling.type", config.rope_scaling);
  add("factor", config.rope_factor);
  if (config.rope_original_context != 0)
    builder.add<std::uint32_t>(prefix + "rope.scaling.original_context_length",
                               static_cast<std::uint32_t>(config.rope_original_context));
  if (const double factor = remaining_factor(config); std::fabs(factor - 1.0) > 1e-6)
    add("attn_factor", factor);
  if (config.rope_beta_fast) add("yarn_beta_fast", *config.rope_beta_fast);
  if (config.rope_beta_slow) add("yarn_beta_slow", *config.rope_beta_slow);
}

}  // namespace

void add_hyperparameters(model::GgufBuilder& builder, const HfConfig& config) {
  const std::string prefix = std::string(config.family.architecture) + ".";
  builder.add_string("general.architecture", config.family.architecture);
  builder.add_string("general.type", "model");
  builder.add_string("general.name", config.name);
  const std::pair<const char*, std::uint64_t> counts[] = {
      {"block_count", config.num_layers},         {"context_length", config.context},
      {"embedding_length", config.embedding},     {"feed_forward_length", config.feed_forward},
      {"attention.head_count", config.num_heads}, {"attention.head_count_kv", config.num_kv_heads},
      {"attention.key_length", config.head_dim},  {"attention.value_length", config.head_dim},
      {"rope.dimension_count", config.head_dim},  {"vocab_size", config.vocabulary},
  };
  for (const auto& [name, count] : counts)
    builder.add<std::uint32_t>(prefix + name, static_cast<std::uint32_t>(count));
  builder.add<float>(prefix + "attention.layer_norm_rms_epsilon",
                     static_cast<float>(config.rms_epsilon));
  builder.add<float>(prefix + "rope.freq_base", static_cast<float>(config.rope_theta));
  add_rope_scaling(builder, prefix, config);
}

}  // namespace bankai::packer
