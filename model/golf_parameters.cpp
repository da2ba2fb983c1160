#include "model/golf_parameters.h"

#include <charconv>
#include <cmath>

#include "core/format.h"

namespace bankai::model {
namespace {

constexpr std::size_t kMaxSize = std::size_t{1} << 24U;

Result<double> number_in(std::string_view text, double least, double most) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= least) ||
      !(value <= most))
    return make_error(ErrorCode::kUsage, "%s: expected a number from %g to %g",
                      quoted(text).c_str(), least, most);
  return value;
}

Result<std::size_t> count_in(std::string_view text, double least, double most) {
  BANKAI_ASSIGN_OR_RETURN(const double value, number_in(text, least, most));
  if (value != std::floor(value))
    return make_error(ErrorCode::kUsage, "%s: expected a whole number", quoted(text).c_str());
  return static_cast<std::size_t>(value);
}

Status set_soft_cap(GolfParameters& parameters, std::string_view value) {
  if (value == "none") {
    parameters.soft_cap = GolfSoftCap::kNone;
    return {};
  }
  const bool tanh = value.starts_with("tanh:");
  if (!tanh && !value.starts_with("poly:"))
    return make_error(ErrorCode::kUsage, "%s: expected tanh:LIMIT, poly:LIMIT or none",
                      quoted(value).c_str());
  BANKAI_ASSIGN_OR_RETURN(parameters.soft_cap_limit, number_in(value.substr(5), 1e-3, 1e6));
  parameters.soft_cap = tanh ? GolfSoftCap::kTanh : GolfSoftCap::kPolynomial;
  return {};
}

Status set_field(GolfParameters& parameters, std::string_view name, std::string_view value) {
  if (name == "soft-cap") return set_soft_cap(parameters, value);
  if (name == "eps") {
    BANKAI_ASSIGN_OR_RETURN(parameters.eps, number_in(value, 0.0, 1.0));
  } else if (name == "rope-base") {
    BANKAI_ASSIGN_OR_RETURN(parameters.rope_base, number_in(value, 1.0, 1e12));
  } else if (name == "yarn") {
    BANKAI_ASSIGN_OR_RETURN(parameters.yarn_factor, number_in(value, 1.0, 1e6));
  } else if (name == "leak") {
    BANKAI_ASSIGN_OR_RETURN(parameters.leak, number_in(value, 0.0, 1.0));
  } else if (name == "context") {
    BANKAI_ASSIGN_OR_RETURN(parameters.context, count_in(value, 1.0, 0x1p20));
  } else if (name == "passes") {
    BANKAI_ASSIGN_OR_RETURN(parameters.passes, count_in(value, 1.0, 0x1p16));
  } else if (name == "quantize-activations") {
    BANKAI_ASSIGN_OR_RETURN(const std::size_t on, count_in(value, 0.0, 1.0));
    parameters.quantizes_activations = on == 1;
  } else if (name == "normalize-projections") {
    BANKAI_ASSIGN_OR_RETURN(const std::size_t on, count_in(value, 0.0, 1.0));
    parameters.normalizes_projection_inputs = on == 1;
  } else {
    return make_error(ErrorCode::kUsage,
                      "no such field; expected context, eps, rope-base, yarn, soft-cap, leak, "
                      "passes, quantize-activations or normalize-projections");
  }
  return {};
}

}  // namespace

Status set_golf_parameter(GolfParameters& parameters, std::string_view setting) {
  const std::size_t equals = setting.find('=');
  if (equals == std::string_view::npos)
    return make_error(ErrorCode::kUsage, "%s: expected NAME=VALUE", quoted(setting).c_str());
  Status set = set_field(parameters, setting.substr(0, equals), setting.substr(equals + 1));
  if (!set.ok()) return with_context(std::move(set).error(), quoted(setting));
  return {};
}

Status check_golf_parameters(const GolfParameters& p) {
  for (const std::size_t size : {p.vocabulary, p.embedding, p.token_embedding, p.heads, p.kv_heads,
                                 p.head_dim, p.hidden, p.blocks, p.passes})
    if (size == 0 || size > kMaxSize)
      return make_error(ErrorCode::kBadInput, "a size of %zu; expected 1 to %zu", size, kMaxSize);
  if (p.head_dim % 2 != 0 || p.heads * p.head_dim != p.embedding || p.heads % p.kv_heads != 0)
    return make_error(ErrorCode::kBadInput,
                      "%zu heads of %zu over %zu key-value heads do not fit a width of %zu",
                      p.heads, p.head_dim, p.kv_heads, p.embedding);
  if (p.passes / 2 != p.skips)
    return make_error(ErrorCode::kBadInput,
                      "%zu rows of skip weights for %zu passes over %zu blocks; expected %zu",
                      p.skips, p.passes, p.blocks, p.passes / 2);
  return {};
}

}  // namespace bankai::model
