#include "packer/golf_builder.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "core/format.h"

namespace bankai::packer {
namespace {

using model::GolfMatrix;
using model::GolfWeights;

// Elements that fill up columns of few rows, in all matrices; real ones have next to none.
constexpr std::size_t kMaxPadding = std::size_t{1} << 22U;

double matrix_scale(const GolfCodedMatrix& matrix, GolfAlpha alpha) {
  if (alpha == GolfAlpha::kStored) return matrix.alpha;
  const auto zeros = std::count(matrix.weights.begin(), matrix.weights.end(), std::byte{0});
  const double share = static_cast<double>(zeros) / static_cast<double>(matrix.weights.size());
  return std::max(std::fabs(matrix.alpha) * (1.0 - share), 1e-8);
}

class Builder {
 public:
  Builder(const GolfCheckpoint& checkpoint, GolfAlpha alpha)
      : checkpoint_(checkpoint), alpha_(alpha) {}

  Result<model::GolfModel> build(std::span<const std::string> settings) {
    set_family_rules();
    BANKAI_RETURN_IF_ERROR(read_embedding());
    BANKAI_RETURN_IF_ERROR(read_blocks());
    BANKAI_RETURN_IF_ERROR(read_skips());
    for (const std::string& setting : settings)
      BANKAI_RETURN_IF_ERROR(model::set_golf_parameter(parameters(), setting));
    BANKAI_RETURN_IF_ERROR(model::check_golf_parameters(parameters()));
    BANKAI_RETURN_IF_ERROR(check_all_used());
    return std::move(model_);
  }

 private:
  model::GolfParameters& parameters() { return model_.parameters; }

  void set_family_rules() {
    if (checkpoint_.family == GolfFamily::kMatrixScale) {
      parameters().quantizes_activations = true;
      return;
    }
    parameters().rope_base = 5000.0;
    parameters().yarn_factor = 2.0;
    parameters().soft_cap = model::GolfSoftCap::kPolynomial;
    parameters().soft_cap_limit = 10.0;
    parameters().normalizes_projection_inputs = true;
  }

  bool has(const std::string& name) const {
    return checkpoint_.find_numbers(name) != nullptr || checkpoint_.find_matrix(name) != nullptr;
  }

  // A matrix of codes or of numbers. 0 for `rows` or `cols`: any.
  Result<GolfWeights> weights(const std::string& name, std::size_t rows, std::size_t cols) {
    GolfWeights out;
    const GolfCodedMatrix* coded = checkpoint_.find_matrix(name);
    const GolfNumbers* numbers = checkpoint_.find_numbers(name);
    if (coded != nullptr) {
      out.rows = coded->rows;
      out.cols = coded->cols;
    } else if (numbers != nullptr && numbers->tensor.shape.size() == 2) {
      out.rows = static_cast<std::size_t>(numbers->tensor.shape[0]);
      out.cols = static_cast<std::size_t>(numbers->tensor.shape[1]);
    } else {
      return make_error(ErrorCode::kBadInput, "there is no matrix %s", quoted(name).c_str());
    }
    used_.insert(name);
    if ((rows != 0 && out.rows != rows) || (cols != 0 && out.cols != cols) || out.rows == 0 ||
        out.cols == 0)
      return make_error(ErrorCode::kBadInput, "matrix %s is %zu by %zu; expected %zu by %zu",
                        quoted(name).c_str(), out.rows, out.cols, rows, cols);
    if (coded == nullptr) {
      out.numbers = to_floats(numbers->tensor);
    } else {
      fill(*coded, out);
    }
    return out;
  }
  Result<GolfMatrix> matrix(const std::string& name, std::size_t rows, std::size_t cols) {
    BANKAI_ASSIGN_OR_RETURN(const GolfWeights read, weights(name, rows, cols));
    return pack(name, read);
  }
  Result<GolfMatrix> pack(const std::string& name, const GolfWeights& read) {
    const std::size_t padding = GolfMatrix::padding(read.rows, read.cols);
    if (padding > padding_left_)
      return make_error(ErrorCode::kUnsupported,
                        "matrix %s is %zu by %zu: too wide for so few rows", quoted(name).c_str(),
                        read.rows, read.cols);
    padding_left_ -= padding;
    return GolfMatrix(read);
  }

  void fill(const GolfCodedMatrix& coded, GolfWeights& out) const {
    out.trits.resize(out.rows * out.cols);
    for (std::size_t row = 0; row < out.rows; ++row)
      for (std::size_t col = 0; col < out.cols; ++col)
        out.trits[row * out.cols + col] =
            static_cast<std::int8_t>(coded.weights[row * coded.padded_cols + col]);
    if (checkpoint_.family != GolfFamily::kGroupScales) {
      out.scale = matrix_scale(coded, alpha_);
      return;
    }
    out.group = coded.group;
    const std::vector<float> scales = to_floats(coded.scales);
    const std::size_t stored = coded.padded_cols / coded.group;  // of a row
    out.group_scales.resize(out.rows * out.groups());
    for (std::size_t row = 0; row < out.rows; ++row)
      std::copy_n(scales.begin() + static_cast<std::ptrdiff_t>(row * stored), out.groups(),
                  out.group_scales.begin() + static_cast<std::ptrdiff_t>(row * out.groups()));
  }

  Result<std::vector<float>> numbers(const std::string& name, std::size_t count) {
    const GolfNumbers* found = checkpoint_.find_numbers(name);
    if (found == nullptr)
      return make_error(ErrorCode::kBadInput, "there is no tensor %s", quoted(name).c_str());
    used_.insert(name);
    if (count != 0 && found->tensor.elements() != count)
      return make_error(ErrorCode::kBadInput, "tensor %s has %llu elements; expected %zu",
                        quoted(name).c_str(),
                        static_cast<unsigned long long>(found->tensor.elements()), count);
    return to_floats(found->tensor);
  }

  Status read_embedding() {
    BANKAI_ASSIGN_OR_RETURN(model_.tokens, matrix("tok_emb.weight", 0, 0));
    const std::size_t cols = model_.tokens.cols();
    parameters().vocabulary = model_.tokens.rows();
    parameters().token_embedding = cols;
    parameters().embedding = cols;
    if (has("embed_proj.weight")) {
      BANKAI_ASSIGN_OR_RETURN(model_.expand, matrix("embed_proj.weight", 0, cols));
      parameters().embedding = model_.expand.rows();
      BANKAI_ASSIGN_OR_RETURN(model_.shrink,
                              matrix("embed_proj_rev.weight", cols, parameters().embedding));
    }
    if (has("vocab_bias")) {
      BANKAI_ASSIGN_OR_RETURN(model_.output_bias, numbers("vocab_bias", model_.tokens.rows()));
    }
    return {};
  }

  Status read_blocks() {
    while (true) {
      const std::string prefix = format("blocks.%zu.", model_.blocks.size());
      if (!has(prefix + "attn.proj.weight")) break;
      model::GolfBlock block;
      BANKAI_RETURN_IF_ERROR(read_attention(prefix, block));
      BANKAI_RETURN_IF_ERROR(read_rest(prefix, block));
      model_.blocks.push_back(std::move(block));
    }
    parameters().blocks = model_.blocks.size();
    return {};
  }

  Status read_attention(const std::string& prefix, model::GolfBlock& block) {
    const std::size_t width = parameters().embedding;
    BANKAI_ASSIGN_OR_RETURN(block.query_gain, numbers(prefix + "attn.q_gain", parameters().heads));
    if (has(prefix + "attn.c_qkv.weight")) {
      const std::string name = prefix + "attn.c_qkv.weight";
      BANKAI_ASSIGN_OR_RETURN(const GolfWeights fused, weights(name, 0, width));
      if (fused.rows <= width || (fused.rows - width) % 2 != 0)
        return make_error(ErrorCode::kBadInput, "a fused matrix of %zu rows for a width of %zu",
                          fused.rows, width);
      const std::size_t kv_rows = (fused.rows - width) / 2;
      BANKAI_ASSIGN_OR_RETURN(block.query, pack(name, fused.slice(0, width)));
      BANKAI_ASSIGN_OR_RETURN(block.key, pack(name, fused.slice(width, kv_rows)));
      BANKAI_ASSIGN_OR_RETURN(block.value, pack(name, fused.slice(width + kv_rows, kv_rows)));
    } else {
      BANKAI_ASSIGN_OR_RETURN(block.query, matrix(prefix + "attn.c_q.weight", width, width));
      BANKAI_ASSIGN_OR_RETURN(block.key, matrix(prefix + "attn.c_k.weight", 0, width));
      BANKAI_ASSIGN_OR_RETURN(block.value,
                              matrix(prefix + "attn.c_v.weight", block.key.rows(), width));
    }
    BANKAI_ASSIGN_OR_RETURN(block.projection, matrix(prefix + "attn.proj.weight", width, width));
    const std::size_t heads = block.query_gain.size();
    if (heads == 0 || width % heads != 0 || block.key.rows() % (width / heads) != 0)
      return make_error(ErrorCode::kBadInput,
                        "%s: %zu heads for a width of %zu and keys of %zu rows",
                        quoted(prefix).c_str(), heads, width, block.key.rows());
    const std::size_t head_dim = width / heads;
    const std::size_t kv_heads = block.key.rows() / head_dim;
    if (parameters().kv_heads != 0 && parameters().kv_heads != kv_heads)
      return make_error(ErrorCode::kBadInput, "%s: %zu key-value heads; the blocks before have %zu",
                        quoted(prefix).c_str(), kv_heads, parameters().kv_heads);
    parameters().heads = heads;
    parameters().head_dim = head_dim;
    parameters().kv_heads = kv_heads;
    return {};
  }

  Status read_rest(const std::string& prefix, model::GolfBlock& block) {
    const std::size_t width = parameters().embedding;
    BANKAI_ASSIGN_OR_RETURN(block.up, matrix(prefix + "mlp.fc.weight", parameters().hidden, width));
    parameters().hidden = block.up.rows();
    BANKAI_ASSIGN_OR_RETURN(block.down, matrix(prefix + "mlp.proj.weight", width, block.up.rows()));
    BANKAI_ASSIGN_OR_RETURN(block.attention_scale, numbers(prefix + "attn_scale", width));
    BANKAI_ASSIGN_OR_RETURN(block.mlp_scale, numbers(prefix + "mlp_scale", width));
    BANKAI_ASSIGN_OR_RETURN(block.residual_mix, numbers(prefix + "resid_mix", 2 * width));
    if (has(prefix + "smear.gate")) {
      BANKAI_ASSIGN_OR_RETURN(block.smear_gate, numbers(prefix + "smear.gate", width));
    }
    return {};
  }

  // The number of passes is not stored: twice the skips, or one more, whichever is a multiple of
  // the number of blocks.
  Status read_skips() {
    BANKAI_ASSIGN_OR_RETURN(model_.skip_weights, numbers("skip_weights", 0));
    const std::size_t width = parameters().embedding;
    if (model_.skip_weights.size() % width != 0)
      return make_error(ErrorCode::kBadInput, "skip_weights has %zu elements; expected rows of %zu",
                        model_.skip_weights.size(), width);
    const std::size_t skips = model_.skip_weights.size() / width;
    parameters().skips = skips;
    const std::size_t blocks = std::max<std::size_t>(parameters().blocks, 1);
    parameters().passes = (2 * skips) % blocks == 0 ? 2 * skips : 2 * skips + 1;
    return {};
  }

  Status check_all_used() const {
    for (const GolfCodedMatrix& entry : checkpoint_.matrices)
      BANKAI_RETURN_IF_ERROR(check_used(entry.name));
    for (const GolfNumbers& entry : checkpoint_.numbers)
      BANKAI_RETURN_IF_ERROR(check_used(entry.name));
    return {};
  }
  Status check_used(const std::string& name) const {
    if (used_.count(name) > 0) return {};
    return make_error(ErrorCode::kUnsupported, "tensor %s belongs to no known part of such a model",
                      quoted(name).c_str());
  }

  const GolfCheckpoint& checkpoint_;
  GolfAlpha alpha_;
  model::GolfModel model_;
  std::size_t padding_left_ = kMaxPadding;
  std::set<std::string> used_;
};

}  // namespace

Result<model::GolfModel> build_golf_model(const GolfCheckpoint& checkpoint, GolfAlpha alpha,
                                          std::span<const std::string> settings) {
  if (alpha == GolfAlpha::kRederived && checkpoint.family != GolfFamily::kMatrixScale)
    return Error{ErrorCode::kUsage,
                 "--alpha rederived belongs to files with one scale per matrix; this one has group "
                 "scales"};
  return Builder(checkpoint, alpha).build(settings);
}

}  // namespace bankai::packer
