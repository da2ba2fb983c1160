#include "tests/support/reference_transformer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "tests/support/reference_weights.h"
#include "tests/support/unwrap.h"

namespace bankai::testing {

using kernels::TensorType;

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
    const model::GgufTensor& tensor = reference_tensor(file, name + ".weight");
    const bool is_float = tensor.type == TensorType::kF32 || tensor.type == TensorType::kF16 ||
                          tensor.type == TensorType::kBF16;
    return {tensor.rows(), tensor.cols(), !is_float, reference_weights(tensor),
            reference_scale(file, name)};
  };
  num_heads_ = count("attention.head_count");
  num_kv_heads_ = count("attention.head_count_kv");
  head_dim_ = count("attention.key_length");
  epsilon_ = unwrap(file.get_float(architecture + ".attention.layer_norm_rms_epsilon"));
  rope_ = ReferenceRope(file, architecture, head_dim_);
  embedding_ = matrix("token_embd");
  head_ = file.find_tensor("output.weight") != nullptr ? matrix("output") : embedding_;
  output_norm_ = reference_vector(file, "output_norm.weight");
  for (std::size_t i = 0; i < count("block_count"); ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    const auto norm = [&](const char* name, bool exists) {
      return exists ? reference_vector(file, block + name + ".weight") : Vector();
    };
    Layer& layer = layers_.emplace_back();
    layer.attention_norm = norm("attn_norm", true);
    layer.ffn_norm = norm("ffn_norm", true);
    layer.query_norm = norm("attn_q_norm", is_qwen);
    layer.key_norm = norm("attn_k_norm", is_qwen);
    const auto bias = [&](const std::string& name) {
      return has_biases ? reference_vector(file, block + name + ".bias") : Vector();
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
  rope_.rotate(rotated_query, num_heads_);
  rope_.rotate(rotated_key, num_kv_heads_);
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
