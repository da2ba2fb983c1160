#include "packer/hf_metadata.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "kernels/scalar_math.h"

namespace bankai::packer {
namespace {

constexpr double kTwoPi = 6.283185307179586476925;

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
  if (config.rope_scaling.empty() || config.rope_scaling == "llama3") return;
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

// A pair that turns more than `high` times over the original context keeps its frequency, one that
// turns less than `low` times is slowed down by the whole factor, and between them the share of the
// plain frequency grows linearly (the rule published with Llama 3.1).
std::vector<float> frequency_factors(const HfConfig& config) {
  std::vector<float> factors;
  if (config.rope_scaling != "llama3") return factors;
  const auto context = static_cast<double>(config.rope_original_context);
  const double low = config.rope_low_frequency;
  const double high = config.rope_high_frequency;
  for (std::uint64_t pair = 0; pair < config.head_dim / 2; ++pair) {
    const double frequency = kernels::pow_f64(
        config.rope_theta, -2.0 * static_cast<double>(pair) / static_cast<double>(config.head_dim));
    const double turns = context * frequency / kTwoPi;
    const double plain = std::clamp((turns - low) / (high - low), 0.0, 1.0);
    factors.push_back(static_cast<float>(1.0 / ((1.0 - plain) / config.rope_factor + plain)));
  }
  return factors;
}

}  // namespace bankai::packer
