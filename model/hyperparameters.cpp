#include "model/hyperparameters.h"

#include <cmath>

#include "core/format.h"

namespace bankai::model {
namespace {

constexpr std::uint64_t kMaxDimension = std::uint64_t{1} << 24U;
constexpr std::uint64_t kMaxLayers = 4096;
constexpr std::uint64_t kMaxContext = std::uint64_t{1} << 31U;

// Reads keys under the architecture's prefix, remembering the file for messages.
class KeyReader {
 public:
  KeyReader(const GgufFile& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  std::string key(const char* name) const { return prefix_ + "." + name; }

  Result<std::size_t> count(const char* name, std::uint64_t limit,
                            std::optional<std::uint64_t> fallback = {}) const {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t value, file_.get_unsigned(key(name), fallback));
    if (value == 0 || value > limit)
      return make_error(ErrorCode::kBadInput, "%s: key '%s' is %llu, expected 1 to %llu",
                        file_.path().c_str(), key(name).c_str(),
                        static_cast<unsigned long long>(value),
                        static_cast<unsigned long long>(limit));
    return static_cast<std::size_t>(value);
  }

  Result<double> positive(const char* name, std::optional<double> fallback) const {
    BANKAI_ASSIGN_OR_RETURN(const double value, file_.get_float(key(name), fallback));
    if (!(value > 0.0) || !std::isfinite(value))
      return make_error(ErrorCode::kBadInput, "%s: key '%s' is %g, expected a positive number",
                        file_.path().c_str(), key(name).c_str(), value);
    return value;
  }

 private:
  const GgufFile& file_;
  std::string prefix_;
};

Status read_rope_scaling(const GgufFile& file, const KeyReader& keys, std::size_t context,
                         RopeParameters& rope) {
  BANKAI_ASSIGN_OR_RETURN(const std::string type,
                          file.get_string(keys.key("rope.scaling.type"), "linear"));
  // A factor of 0 means "not set" in files in circulation.
  BANKAI_ASSIGN_OR_RETURN(double factor, file.get_float(keys.key("rope.scaling.factor"), 0.0));
  if (factor == 0.0) factor = 1.0;
  if (!(factor >= 1.0) || !std::isfinite(factor))
    return make_error(ErrorCode::kBadInput, "%s: key '%s' is %g, expected at least 1",
                      file.path().c_str(), keys.key("rope.scaling.factor").c_str(), factor);
  if (type == "none") return {};
  if (type == "linear") {
    rope.scaling = factor == 1.0 ? RopeScaling::kNone : RopeScaling::kLinear;
    rope.factor = factor;
    return {};
  }
  if (type != "yarn")
    return make_error(ErrorCode::kUnsupported,
                      "%s: key '%s' is '%s'; known are none, linear and yarn", file.path().c_str(),
                      keys.key("rope.scaling.type").c_str(), type.c_str());
  rope.scaling = RopeScaling::kYarn;
  rope.factor = factor;
  const auto declared_context = static_cast<double>(context);
  BANKAI_ASSIGN_OR_RETURN(rope.original_context,
                          keys.positive("rope.scaling.original_context_length", declared_context));
  BANKAI_ASSIGN_OR_RETURN(rope.attention_factor, keys.positive("rope.scaling.attn_factor", 1.0));
  BANKAI_ASSIGN_OR_RETURN(rope.beta_fast, keys.positive("rope.scaling.yarn_beta_fast", 32.0));
  BANKAI_ASSIGN_OR_RETURN(rope.beta_slow, keys.positive("rope.scaling.yarn_beta_slow", 1.0));
  return {};
}

Result<Architecture> read_architecture(const GgufFile& file) {
  BANKAI_ASSIGN_OR_RETURN(const std::string name, file.get_string("general.architecture"));
  const Architecture* architecture = find_architecture(name);
  if (architecture == nullptr)
    return make_error(ErrorCode::kUnsupported, "%s: architecture %s is not supported; known: %s",
                      file.path().c_str(), quoted(name).c_str(), architecture_names().c_str());
  return *architecture;
}

bool is_attention_bias(std::string_view name) {
  return name.ends_with(".attn_q.bias") || name.ends_with(".attn_k.bias") ||
         name.ends_with(".attn_v.bias");
}

// Biases change what a model computes: none may be left unread.
Status check_no_other_biases(const GgufFile& file, const Architecture& architecture) {
  for (const GgufTensor& tensor : file.tensors())
    if (tensor.name.ends_with(".bias") &&
        !(architecture.has_biases && is_attention_bias(tensor.name)))
      return make_error(ErrorCode::kUnsupported,
                        "%s: tensor %s is part of the computation, but not implemented",
                        file.path().c_str(), quoted(tensor.name).c_str());
  return {};
}

Status check_not_rotated(const GgufFile& file) {
  for (const GgufValue& value : file.metadata())
    if (value.key.starts_with("prism.hadamard."))
      return make_error(
          ErrorCode::kUnsupported,
          "%s: key '%.*s': the weights are stored rotated (Hadamard); running them without that "
          "rotation would give wrong results, so the file is refused",
          file.path().c_str(), static_cast<int>(value.key.size()), value.key.data());
  return {};
}

}  // namespace

Result<Hyperparameters> read_hyperparameters(const GgufFile& file) {
  Hyperparameters h;
  BANKAI_ASSIGN_OR_RETURN(const Architecture architecture, read_architecture(file));
  BANKAI_RETURN_IF_ERROR(check_not_rotated(file));
  BANKAI_RETURN_IF_ERROR(check_no_other_biases(file, architecture));
  h.architecture = architecture.name;
  h.activation = architecture.activation;
  h.has_qk_norm = architecture.has_qk_norm;
  h.has_sub_norms = architecture.has_sub_norms;
  h.has_biases = architecture.has_biases;
  h.rope.neighbours = architecture.rotates_neighbours;
  const KeyReader keys(file, h.architecture);
  BANKAI_ASSIGN_OR_RETURN(h.num_layers, keys.count("block_count", kMaxLayers));
  BANKAI_ASSIGN_OR_RETURN(h.embedding, keys.count("embedding_length", kMaxDimension));
  BANKAI_ASSIGN_OR_RETURN(h.feed_forward, keys.count("feed_forward_length", kMaxDimension));
  BANKAI_ASSIGN_OR_RETURN(h.num_heads, keys.count("attention.head_count", kMaxDimension));
  BANKAI_ASSIGN_OR_RETURN(h.num_kv_heads,
                          keys.count("attention.head_count_kv", kMaxDimension, h.num_heads));
  BANKAI_ASSIGN_OR_RETURN(
      h.head_dim, keys.count("attention.key_length", kMaxDimension, h.embedding / h.num_heads));
  BANKAI_ASSIGN_OR_RETURN(const std::size_t value_dim,
                          keys.count("attention.value_length", kMaxDimension, h.head_dim));
  BANKAI_ASSIGN_OR_RETURN(h.context, keys.count("context_length", kMaxContext));
  BANKAI_ASSIGN_OR_RETURN(const double epsilon,
                          keys.positive("attention.layer_norm_rms_epsilon", std::nullopt));
  h.rms_epsilon = static_cast<float>(epsilon);
  if (value_dim != h.head_dim)
    return make_error(ErrorCode::kUnsupported,
                      "%s: attention.value_length %zu differs from attention.key_length %zu",
                      file.path().c_str(), value_dim, h.head_dim);
  if (h.num_heads % h.num_kv_heads != 0)
    return make_error(ErrorCode::kBadInput,
                      "%s: %zu attention heads cannot share %zu key/value heads evenly",
                      file.path().c_str(), h.num_heads, h.num_kv_heads);
  BANKAI_ASSIGN_OR_RETURN(h.rope.dimensions,
                          keys.count("rope.dimension_count", h.head_dim, h.head_dim));
  if (h.rope.dimensions % 2 != 0)
    return make_error(ErrorCode::kBadInput, "%s: rope.dimension_count %zu is odd",
                      file.path().c_str(), h.rope.dimensions);
  BANKAI_ASSIGN_OR_RETURN(h.rope.freq_base, keys.positive("rope.freq_base", 10000.0));
  BANKAI_RETURN_IF_ERROR(read_rope_scaling(file, keys, h.context, h.rope));
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr)
    return make_error(ErrorCode::kBadInput, "%s: tensor 'token_embd.weight' is missing",
                      file.path().c_str());
  h.vocabulary = embedding->rows();
  return h;
}

}  // namespace bankai::model
