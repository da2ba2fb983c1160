#include "tests/support/reference_transformer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <stdexcept>
#include <utility>

namespace bankai::testing {
namespace {

using kernels::TensorType;
using Vector = std::vector<double>;

template <typename T>
T unwrap(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}

std::uint16_t u16_at(const std::byte* bytes) {
  std::uint16_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// IEEE half precision by its definition: sign, 5 bits of exponent, 10 of fraction.
double half_value(std::uint16_t half) {
  const double sign = (half & 0x8000U) != 0 ? -1.0 : 1.0;
  const int exponent = (half >> 10U) & 31;
  const int fraction = half & 1023;
  if (exponent == 31)
    return fraction != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

// Two bits of a byte, counted from the lowest, as a weight: 0 is −1.
int two_bit_weight(std::byte byte, std::size_t pair) {
  return static_cast<int>((static_cast<unsigned>(byte) >> (2 * pair)) & 3U) - 1;
}

// The n-th base-3 digit behind the point of byte / 256, as a weight.
int base3_weight(std::byte byte, std::size_t n) {
  unsigned power = 1;
  for (std::size_t i = 0; i < n; ++i) power *= 3;
  return static_cast<int>((static_cast<unsigned>(byte) * power % 256 * 3) >> 8U) - 1;
}

// Weight j of a TQ1_0 block without its scale.
int tq1_0_weight(const std::byte* block, std::size_t j) {
  if (j < 160) return base3_weight(block[j % 32], j / 32);
  if (j < 240) return base3_weight(block[32 + j % 16], (j - 160) / 16);
  return base3_weight(block[48 + j % 4], (j - 240) / 4);
}

// Weight i of a row of consecutive blocks. I2_S is without the scale of its tensor.
double weight_value(TensorType type, const std::byte* row, std::size_t i) {
  switch (type) {
    case TensorType::kF32: {
      float value = 0.0F;
      std::memcpy(&value, row + 4 * i, sizeof value);
      return static_cast<double>(value);
    }
    case TensorType::kF16: return half_value(u16_at(row + 2 * i));
    case TensorType::kBF16: {
      const std::uint32_t bits = static_cast<std::uint32_t>(u16_at(row + 2 * i)) << 16U;
      float value = 0.0F;
      std::memcpy(&value, &bits, sizeof value);
      return static_cast<double>(value);
    }
    case TensorType::kQ8_0: {
      const std::byte* block = row + i / 32 * 34;
      return half_value(u16_at(block)) * static_cast<std::int8_t>(block[2 + i % 32]);
    }
    case TensorType::kQ1_0: {
      const std::byte* block = row + i / 128 * 18;
      const auto byte = static_cast<unsigned>(block[2 + i % 128 / 8]);
      return ((byte >> (i % 8)) & 1U) != 0 ? half_value(u16_at(block)) : -half_value(u16_at(block));
    }
    case TensorType::kQ2_0: {
      const std::byte* block = row + i / 64 * 18;
      return half_value(u16_at(block)) * two_bit_weight(block[2 + i % 64 / 4], i % 4);
    }
    case TensorType::kPQ2_0: {
      const std::byte* block = row + i / 128 * 34;
      return half_value(u16_at(block)) * two_bit_weight(block[2 + i % 128 / 4], i % 4);
    }
    case TensorType::kTQ2_0: {
      const std::byte* block = row + i / 256 * 66;
      const std::size_t j = i % 128;
      return half_value(u16_at(block + 64)) *
             two_bit_weight(block[i % 256 / 128 * 32 + j % 32], j / 32);
    }
    case TensorType::kTQ1_0: {
      const std::byte* block = row + i / 256 * 54;
      return half_value(u16_at(block + 52)) * tq1_0_weight(block, i % 256);
    }
    case TensorType::kI2_S: {
      const std::size_t j = i % 128;
      return two_bit_weight(row[i / 128 * 32 + j % 32], 3 - j / 32);
    }
  }
  throw std::runtime_error("a tensor type that the reference does not know");
}

const model::GgufTensor& tensor_named(const model::GgufFile& file, const std::string& name) {
  const model::GgufTensor* tensor = file.find_tensor(name);
  if (tensor == nullptr) throw std::runtime_error("no tensor " + name);
  return *tensor;
}

// Behind the codes of an I2_S tensor: its scale and filler.
std::size_t trailer_bytes(const model::GgufTensor& tensor) {
  return tensor.type == TensorType::kI2_S ? 32 : 0;
}

std::vector<float> read_weights(const model::GgufTensor& tensor) {
  const std::size_t row_bytes = (tensor.data.size() - trailer_bytes(tensor)) / tensor.rows();
  std::vector<float> weights(tensor.rows() * tensor.cols());
  for (std::size_t row = 0; row < tensor.rows(); ++row)
    for (std::size_t col = 0; col < tensor.cols(); ++col)
      weights[row * tensor.cols() + col] =
          static_cast<float>(weight_value(tensor.type, tensor.data.data() + row * row_bytes, col));
  return weights;
}

Vector read_vector(const model::GgufFile& file, const std::string& name) {
  const std::vector<float> weights = read_weights(tensor_named(file, name));
  return {weights.begin(), weights.end()};
}

double read_scale(const model::GgufFile& file, const std::string& name) {
  const model::GgufTensor& tensor = tensor_named(file, name + ".weight");
  double scale = 1.0;
  if (const std::size_t trailer = trailer_bytes(tensor); trailer > 0) {
    float value = 0.0F;
    std::memcpy(&value, tensor.data.data() + tensor.data.size() - trailer, sizeof value);
    scale = static_cast<double>(value);
  }
  if (file.find_tensor(name + ".scale") != nullptr) scale *= read_vector(file, name + ".scale")[0];
  return scale;
}

}  // namespace

ReferenceTransformer::ReferenceTransformer(const model::GgufFile& file, ReferenceOptions options)
    : options_(options) {
  const std::string architecture = unwrap(file.get_string("general.architecture"));
  const bool is_qwen = architecture == "qwen3";
  const bool is_bitnet = architecture.starts_with("bitnet");
  const bool has_biases = architecture == "qwen2";
  squares_relu_ = architecture == "bitnet-b1.58";
  const auto count = [&](const std::string& key) {
    return static_cast<std::size_t>(unwrap(file.get_unsigned(architecture + "." + key)));
  };
  const auto matrix = [&file](const std::string& name) -> Matrix {
    const model::GgufTensor& tensor = tensor_named(file, name + ".weight");
    const bool is_float = tensor.type == TensorType::kF32 || tensor.type == TensorType::kF16 ||
                          tensor.type == TensorType::kBF16;
    return {tensor.rows(), tensor.cols(), !is_float, read_weights(tensor), read_scale(file, name)};
  };
  num_heads_ = count("attention.head_count");
  num_kv_heads_ = count("attention.head_count_kv");
  head_dim_ = count("attention.key_length");
  epsilon_ = unwrap(file.get_float(architecture + ".attention.layer_norm_rms_epsilon"));
  rope_ = read_rope(file, architecture + ".rope.", head_dim_);
  rope_.neighbours = architecture == "llama";
  embedding_ = matrix("token_embd");
  head_ = file.find_tensor("output.weight") != nullptr ? matrix("output") : embedding_;
  output_norm_ = read_vector(file, "output_norm.weight");
  for (std::size_t i = 0; i < count("block_count"); ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    const auto norm = [&](const char* name, bool exists) {
      return exists ? read_vector(file, block + name + ".weight") : Vector();
    };
    Layer& layer = layers_.emplace_back();
    layer.attention_norm = norm("attn_norm", true);
    layer.ffn_norm = norm("ffn_norm", true);
    layer.query_norm = norm("attn_q_norm", is_qwen);
    layer.key_norm = norm("attn_k_norm", is_qwen);
    const auto bias = [&](const std::string& name) {
      return has_biases ? read_vector(file, block + name + ".bias") : Vector();
    };
    layer.query_bias = bias("attn_q");
    layer.key_bias = bias("attn_k");
    layer.value_bias = bias("attn_v");
    layer.attention_sub_norm = norm("attn_sub_norm", is_bitnet);
    layer.sub_norm = norm("ffn_sub_norm", is_bitnet);
    layer.query = matrix(block + "attn_q");
    layer.key = matrix(block + "attn_k");
    layer.value = matrix(block + "attn_v");
    layer.output = matrix(block + "attn_output");
    layer.gate = matrix(block + "ffn_gate");
    layer.up = matrix(block + "ffn_up");
    layer.down = matrix(block + "ffn_down");
  }
}

// YaRN: a pair that turns more than 32 times over the original context keeps its frequency, one
// that turns less than once is slowed down by the factor, a linear ramp between them.
ReferenceTransformer::Rope ReferenceTransformer::read_rope(const model::GgufFile& file,
                                                           const std::string& prefix,
                                                           std::size_t head_dim) {
  Rope rope;
  rope.dimensions = unwrap(file.get_unsigned(prefix + "dimension_count", head_dim));
  const auto dimensions = static_cast<double>(rope.dimensions);
  const double base = unwrap(file.get_float(prefix + "freq_base", 10000.0));
  const std::string scaling = unwrap(file.get_string(prefix + "scaling.type", "none"));
  const double factor = scaling == "none" ? 1.0 : unwrap(file.get_float(prefix + "scaling.factor"));
  double low = 0.0;
  double high = 0.0;
  if (scaling == "yarn") {
    const double context = unwrap(file.get_float(prefix + "scaling.original_context_length"));
    const auto pair_with_turns = [&](double turns) {
      return dimensions * std::log(context / (turns * 2.0 * std::numbers::pi)) /
             (2.0 * std::log(base));
    };
    low = std::max(0.0, std::floor(pair_with_turns(32.0)));
    high = std::min(dimensions - 1.0, std::ceil(pair_with_turns(1.0)));
    rope.magnitude = (1.0 + 0.1 * std::log(factor)) *
                     unwrap(file.get_float(prefix + "scaling.attn_factor", 1.0));
  }
  Vector factors(rope.dimensions / 2, 1.0);  // Llama 3
  if (file.find_tensor("rope_freqs.weight") != nullptr)
    factors = read_vector(file, "rope_freqs.weight");
  for (std::size_t pair = 0; pair < rope.dimensions / 2; ++pair) {
    const auto index = static_cast<double>(pair);
    const double plain = std::pow(base, -2.0 * index / dimensions) / factors[pair];
    const double kept =
        scaling == "yarn" ? 1.0 - std::clamp((index - low) / std::max(0.001, high - low), 0.0, 1.0)
                          : 0.0;
    rope.frequencies.push_back(plain * kept + plain / factor * (1.0 - kept));
  }
  return rope;
}

void ReferenceTransformer::round_to_int8(Vector& x) const {
  for (std::size_t begin = 0; begin < x.size(); begin += options_.int8_group_cols) {
    double largest = 0.0;
    for (std::size_t i = begin; i < begin + options_.int8_group_cols; ++i)
      largest = std::max(largest, std::fabs(x[i]));
    if (largest == 0.0) continue;
    const double scale = largest / 127.0;
    for (std::size_t i = begin; i < begin + options_.int8_group_cols; ++i)
      x[i] = std::nearbyint(x[i] / scale) * scale;
  }
}

// x (tokens, cols) → (tokens, rows). Tokens are the inner loop: the sum over columns keeps its
// order, and the compiler may still do several tokens at once.
ReferenceTransformer::Vector ReferenceTransformer::multiply(const Matrix& matrix, Vector x) const {
  if (matrix.has_integer_weights && options_.int8_group_cols > 0) round_to_int8(x);
  const std::size_t tokens = x.size() / matrix.cols;
  Vector transposed(x.size());
  for (std::size_t t = 0; t < tokens; ++t)
    for (std::size_t col = 0; col < matrix.cols; ++col)
      transposed[col * tokens + t] = x[t * matrix.cols + col];
  Vector out(tokens * matrix.rows);
  Vector sums(tokens);
  for (std::size_t row = 0; row < matrix.rows; ++row) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t col = 0; col < matrix.cols; ++col) {
      const auto weight = static_cast<double>(matrix.weights[row * matrix.cols + col]);
      const double* column = transposed.data() + col * tokens;
      for (std::size_t t = 0; t < tokens; ++t) sums[t] += weight * column[t];
    }
    for (std::size_t t = 0; t < tokens; ++t) out[t * matrix.rows + row] = sums[t] * matrix.scale;
  }
  return out;
}

// The bias added to every run of its size; x itself without one.
ReferenceTransformer::Vector ReferenceTransformer::biased(Vector x, const Vector& bias) {
  if (!bias.empty())
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += bias[i % bias.size()];
  return x;
}

// RMS norm of every run of weight.size() elements; x itself without weights.
ReferenceTransformer::Vector ReferenceTransformer::normalise(const Vector& x,
                                                             const Vector& weight) const {
  if (weight.empty()) return x;
  Vector out(x.size());
  const std::size_t n = weight.size();
  for (std::size_t begin = 0; begin < x.size(); begin += n) {
    double squares = 0.0;
    for (std::size_t i = 0; i < n; ++i) squares += x[begin + i] * x[begin + i];
    const double factor = 1.0 / std::sqrt(squares / static_cast<double>(n) + epsilon_);
    for (std::size_t i = 0; i < n; ++i) out[begin + i] = x[begin + i] * factor * weight[i];
  }
  return out;
}

// heads (tokens, num_heads, head_dim), token t at position t.
void ReferenceTransformer::rotate(Vector& heads, std::size_t num_heads) const {
  const std::size_t half = rope_.dimensions / 2;
  for (std::size_t h = 0; h < heads.size() / head_dim_; ++h) {
    const auto position = static_cast<double>(h / num_heads);
    double* head = heads.data() + h * head_dim_;
    for (std::size_t pair = 0; pair < half; ++pair) {
      const double angle = position * rope_.frequencies[pair];
      const double cosine = rope_.magnitude * std::cos(angle);
      const double sine = rope_.magnitude * std::sin(angle);
      double& first = head[rope_.neighbours ? 2 * pair : pair];
      double& second = head[rope_.neighbours ? 2 * pair + 1 : pair + half];
      const double turned = first * cosine - second * sine;
      second = first * sine + second * cosine;
      first = turned;
    }
  }
}

ReferenceTransformer::Vector ReferenceTransformer::attend(const Vector& query, const Vector& key,
                                                          const Vector& value) const {
  const std::size_t heads_per_kv = num_heads_ / num_kv_heads_;
  const std::size_t tokens = query.size() / (num_heads_ * head_dim_);
  Vector out(query.size(), 0.0);
  Vector weights(tokens);
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t head = 0; head < num_heads_; ++head) {
      const std::size_t at = (t * num_heads_ + head) * head_dim_;
      const auto kv_at = [&](std::size_t position) {
        return (position * num_kv_heads_ + head / heads_per_kv) * head_dim_;
      };
      double largest = -std::numeric_limits<double>::infinity();
      for (std::size_t past = 0; past <= t; ++past) {
        double dot = 0.0;
        for (std::size_t i = 0; i < head_dim_; ++i) dot += query[at + i] * key[kv_at(past) + i];
        weights[past] = dot / std::sqrt(static_cast<double>(head_dim_));
        largest = std::max(largest, weights[past]);
      }
      double total = 0.0;
      for (std::size_t past = 0; past <= t; ++past)
        total += weights[past] = std::exp(weights[past] - largest);
      for (std::size_t past = 0; past <= t; ++past)
        for (std::size_t i = 0; i < head_dim_; ++i)
          out[at + i] += weights[past] / total * value[kv_at(past) + i];
    }
  }
  return out;
}

double ReferenceTransformer::activation(double gate) const {
  if (squares_relu_) return gate > 0.0 ? gate * gate : 0.0;
  return gate / (1.0 + std::exp(-gate));
}

void ReferenceTransformer::add_layer(std::size_t index, const Change& change, Vector& x) const {
  const Layer& layer = layers_[index];
  const auto changed = [&](const char* point, Vector values) {
    change(index, point, values);
    return values;
  };
  const auto add = [&x](const Vector& delta) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += delta[i];
  };
  const Vector attention_input = normalise(x, layer.attention_norm);
  const Vector query = changed("query", multiply(layer.query, attention_input));
  const Vector key = changed("key", multiply(layer.key, attention_input));
  const Vector value = changed("value", multiply(layer.value, attention_input));
  Vector rotated_query =
      changed("query_normed", normalise(biased(query, layer.query_bias), layer.query_norm));
  Vector rotated_key =
      changed("key_normed", normalise(biased(key, layer.key_bias), layer.key_norm));
  rotate(rotated_query, num_heads_);
  rotate(rotated_key, num_kv_heads_);
  const Vector mixed = attend(rotated_query, rotated_key, biased(value, layer.value_bias));
  add(changed("output", multiply(layer.output, normalise(mixed, layer.attention_sub_norm))));

  const Vector ffn_input = normalise(x, layer.ffn_norm);
  const Vector gate = changed("gate", multiply(layer.gate, ffn_input));
  Vector hidden = changed("up", multiply(layer.up, ffn_input));
  for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] *= activation(gate[i]);
  hidden = changed("hidden", std::move(hidden));
  add(changed("down", multiply(layer.down, normalise(hidden, layer.sub_norm))));
}

std::vector<double> ReferenceTransformer::logits(std::span<const std::int32_t> tokens) const {
  return logits(tokens, [](std::size_t, const std::string&, Vector&) {});
}

std::vector<double> ReferenceTransformer::logits(std::span<const std::int32_t> tokens,
                                                 const Change& change) const {
  Vector x;
  for (const std::int32_t token : tokens) {
    const float* row =
        embedding_.weights.data() + static_cast<std::size_t>(token) * embedding_.cols;
    for (std::size_t i = 0; i < embedding_.cols; ++i)
      x.push_back(static_cast<double>(row[i]) * embedding_.scale);
  }
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) add_layer(layer, change, x);
  return multiply(head_, normalise(x, output_norm_));
}

double kl_divergence(std::span<const double> p_logits, std::span<const double> q_logits) {
  const auto log_total = [](std::span<const double> logits) {
    const double largest = *std::max_element(logits.begin(), logits.end());
    double total = 0.0;
    for (const double logit : logits) total += std::exp(logit - largest);
    return largest + std::log(total);
  };
  const double p_total = log_total(p_logits);
  const double q_total = log_total(q_logits);
  double divergence = 0.0;
  for (std::size_t i = 0; i < p_logits.size(); ++i) {
    const double log_p = p_logits[i] - p_total;
    divergence += std::exp(log_p) * (log_p - (q_logits[i] - q_total));
  }
  return divergence;
}

}  // namespace bankai::testing
