#include "packer/importance.h"

#include <algorithm>

#include "kernels/scalar_math.h"
#include "model/backward.h"
#include "model/parallel.h"

namespace bankai::packer {
namespace {

using model::TokenId;

constexpr std::size_t kBlockTokens = 1024;  // of a block, at least one sequence
constexpr std::size_t kMemoryLimit = std::size_t{1} << 30U;
constexpr std::size_t kLogitFloats = std::size_t{1} << 22U;

// sums[i] += Σ_t values[t, i]², the tokens in order.
void add_squares(int threads, const float* values, std::size_t tokens, std::vector<double>& sums) {
  const std::size_t width = sums.size();
  model::parallel_for(threads, width, [&](IndexRange range) {
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t i = range.begin; i < range.end; ++i) {
        const double value = static_cast<double>(values[t * width + i]);
        sums[i] += value * value;
      }
  });
}

class Collector : public model::GradientVisitor {
 public:
  Collector(const model::Model& model, int threads, MatrixImportance& sums)
      : model_(model), threads_(threads), sums_(sums) {}

  void visit_ffn(std::size_t layer, const model::FfnGradients& gradients) override {
    add(layer, Projection::kGate, gradients.gate, gradients.tokens.size());
    add(layer, Projection::kUp, gradients.up, gradients.tokens.size());
    add(layer, Projection::kDown, gradients.down, gradients.tokens.size());
  }
  void visit_attention(std::size_t layer, const model::AttentionGradients& gradients) override {
    add(layer, Projection::kQuery, gradients.query, gradients.tokens.size());
    add(layer, Projection::kKey, gradients.key, gradients.tokens.size());
    add(layer, Projection::kValue, gradients.value, gradients.tokens.size());
    add(layer, Projection::kOutput, gradients.output, gradients.tokens.size());
  }

 private:
  void add(std::size_t layer, Projection projection, const model::ProjectionGradient& gradient,
           std::size_t tokens) {
    const TensorAddress address{static_cast<std::uint32_t>(layer), projection};
    const kernels::WeightRows& weights = model_.find_matrix(address)->weights;
    TensorImportance& sums = sums_[address];
    sums.rows.resize(weights.rows);
    sums.cols.resize(weights.cols);
    add_squares(threads_, gradient.gradient, tokens, sums.rows);
    inputs_.resize(tokens * weights.cols);
    gradient.input->widen(0, tokens, inputs_.data());
    add_squares(threads_, inputs_.data(), tokens, sums.cols);
  }

  const model::Model& model_;
  int threads_;
  MatrixImportance& sums_;
  std::vector<float> inputs_;
};

struct Block {
  std::vector<TokenId> tokens;
  std::vector<model::Segment> segments;
  std::vector<std::size_t> scored_rows;
  std::vector<TokenId> targets;  // of the scored rows
};

std::vector<Block> make_blocks(std::span<const model::ScoredSequence> sequences) {
  std::vector<Block> blocks;
  for (const model::ScoredSequence& sequence : sequences) {
    if (blocks.empty() || blocks.back().tokens.size() + sequence.num_inputs() > kBlockTokens)
      blocks.emplace_back();
    Block& block = blocks.back();
    const std::size_t first = block.tokens.size();
    block.segments.push_back({first, sequence.num_inputs()});
    block.tokens.insert(block.tokens.end(), sequence.tokens.begin(), sequence.tokens.end() - 1);
    for (std::size_t i = sequence.first_target; i < sequence.tokens.size(); ++i) {
      block.scored_rows.push_back(first + i - 1);
      block.targets.push_back(sequence.tokens[i]);
    }
  }
  return blocks;
}

// d ln P(target) / d logits: [target] − P.
void log_probability_gradient(const kernels::KernelTable& table, std::span<const float> logits,
                              TokenId target, std::span<float> gradient) {
  const double total = model::log_sum_exp(table, logits);
  for (std::size_t i = 0; i < logits.size(); ++i)
    gradient[i] = -static_cast<float>(kernels::exp_f64(static_cast<double>(logits[i]) - total));
  gradient[static_cast<std::size_t>(target)] += 1.0F;
}

// The head is above what the backward pass visits.
void add_head(model::Transformer& transformer, const Block& block, TensorImportance& sums) {
  const model::Model& model = transformer.model();
  const model::Hyperparameters& h = model.parameters();
  std::vector<float> x(block.tokens.size() * h.embedding);
  transformer.embed(block.tokens, {}, x.data());
  transformer.run_layers(0, h.num_layers, block.segments, {}, x.data());
  sums.rows.resize(h.vocabulary);
  sums.cols.resize(h.embedding);
  const std::size_t chunk = std::clamp<std::size_t>(kLogitFloats / h.vocabulary, 1, 256);
  std::vector<float> rows, inputs, logits;
  kernels::ActivationBlock normed;
  const int threads = transformer.options().threads;
  for (std::size_t first = 0; first < block.scored_rows.size(); first += chunk) {
    const std::size_t count = std::min(chunk, block.scored_rows.size() - first);
    rows.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const auto row =
          x.begin() + static_cast<std::ptrdiff_t>(block.scored_rows[first + i] * h.embedding);
      rows.insert(rows.end(), row, row + static_cast<std::ptrdiff_t>(h.embedding));
    }
    logits.resize(count * h.vocabulary);
    transformer.logits(count, rows.data(), {}, logits.data());
    model::parallel_for(threads, count, [&](IndexRange range) {
      std::vector<float> gradient(h.vocabulary);
      for (std::size_t i = range.begin; i < range.end; ++i) {
        const std::span<float> row(logits.data() + i * h.vocabulary, h.vocabulary);
        log_probability_gradient(transformer.table(), row, block.targets[first + i], gradient);
        std::copy(gradient.begin(), gradient.end(), row.begin());
      }
    });
    add_squares(threads, logits.data(), count, sums.rows);
    transformer.normalise(count, rows.data(), model.output_norm(), normed);
    inputs.resize(count * h.embedding);
    normed.widen(0, count, inputs.data());
    add_squares(threads, inputs.data(), count, sums.cols);
  }
}

void scale(std::vector<double>& values, double factor) {
  for (double& value : values) value *= factor;
}

}  // namespace

MatrixImportance measure_importance(const model::Model& model, const kernels::KernelTable& table,
                                    model::ForwardOptions options,
                                    std::span<const model::ScoredSequence> sequences) {
  MatrixImportance sums;
  model::Transformer transformer(model, table, options);
  model::BackwardPass backward(transformer, kMemoryLimit);
  Collector collector(model, options.threads, sums);
  TensorImportance& embedding = sums[{0, Projection::kEmbedding}];
  embedding.rows.resize(model.parameters().vocabulary);
  TensorImportance& head = model.is_tied() ? embedding : sums[{0, Projection::kHead}];
  std::size_t num_targets = 0;
  for (const Block& block : make_blocks(sequences)) {
    const auto gradient = [&](std::size_t i, std::span<const float> logits, std::span<float> out) {
      log_probability_gradient(table, logits, block.targets[i], out);
    };
    backward.run(block.tokens, block.segments, {}, block.scored_rows, gradient, {0, false},
                 collector);
    add_head(transformer, block, head);
    num_targets += block.targets.size();
    if (model.is_tied()) continue;
    for (const TokenId token : block.tokens) embedding.rows[static_cast<std::size_t>(token)] += 1.0;
  }
  for (auto& [address, importance] : sums) {
    scale(importance.rows, 1.0 / static_cast<double>(num_targets));
    if (address.projection != Projection::kEmbedding || model.is_tied())
      scale(importance.cols, 1.0 / static_cast<double>(num_targets));
  }
  return sums;
}

TensorImportance tensor_importance(const MatrixImportance& matrices, const WeightExchange& weights,
                                   std::size_t tensor, std::size_t num_rows) {
  TensorImportance result;
  for (const WeightExchange::Part& part : weights.parts(tensor)) {
    const auto found = matrices.find(part.address);
    if (found == matrices.end()) continue;
    result.rows.resize(num_rows);
    std::copy(found->second.rows.begin(), found->second.rows.end(),
              result.rows.begin() + static_cast<std::ptrdiff_t>(part.first_row));
    result.cols = found->second.cols;
  }
  return result;
}

}  // namespace bankai::packer
