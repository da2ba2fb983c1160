#include "model/scoring.h"

#include <algorithm>

#include "kernels/scalar_math.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

constexpr std::size_t kLogitFloats = 1 << 22;  // logits held at a time (16 MiB)
constexpr std::size_t kBlockTokens = 1024;     // of a block of sequences, at least one sequence

}  // namespace

double log_sum_exp(const kernels::KernelTable& table, std::span<const float> logits) {
  const float largest = table.max_f32(logits.data(), logits.size());
  return static_cast<double>(largest) +
         kernels::log_f64(table.sum_exp(logits.data(), logits.size(), largest));
}

void Scorer::visit_logits(const float* x, std::size_t rows, const Replacements& replacements,
                          const std::function<void(std::size_t, std::span<const float>)>& visit) {
  const Hyperparameters& h = transformer_.model().parameters();
  const std::size_t chunk = std::clamp<std::size_t>(kLogitFloats / h.vocabulary, 1, 1024);
  for (std::size_t first = 0; first < rows; first += chunk) {
    const std::size_t count = std::min(chunk, rows - first);
    logits_.resize(count * h.vocabulary);
    transformer_.logits(count, x + first * h.embedding, replacements, logits_.data());
    parallel_for(transformer_.options().threads, count, [&](IndexRange range) {
      for (std::size_t i = range.begin; i < range.end; ++i)
        visit(first + i, {logits_.data() + i * h.vocabulary, h.vocabulary});
    });
  }
}

void Scorer::log_probabilities(const float* x, std::span<const TokenQuery> queries,
                               const Replacements& replacements, std::span<double> out) {
  const std::size_t width = transformer_.model().parameters().embedding;
  std::vector<float> rows;
  std::vector<std::size_t> first_query;  // of each distinct row
  for (std::size_t i = 0; i < queries.size(); ++i) {
    if (i > 0 && queries[i].row == queries[i - 1].row) continue;
    rows.insert(rows.end(), x + queries[i].row * width, x + (queries[i].row + 1) * width);
    first_query.push_back(i);
  }
  const std::size_t num_rows = first_query.size();
  first_query.push_back(queries.size());
  visit_logits(
      rows.data(), num_rows, replacements, [&](std::size_t row, std::span<const float> logits) {
        const double total = log_sum_exp(transformer_.table(), logits);
        for (std::size_t i = first_query[row]; i < first_query[row + 1]; ++i)
          out[i] = static_cast<double>(logits[static_cast<std::size_t>(queries[i].token)]) - total;
      });
}

std::vector<std::vector<double>> score_sequences(Transformer& transformer,
                                                 const Replacements& replacements,
                                                 std::span<const ScoredSequence> sequences) {
  const Hyperparameters& h = transformer.model().parameters();
  Scorer scorer(transformer);
  std::vector<std::vector<double>> scores;
  for (std::size_t first = 0; first < sequences.size();) {
    std::vector<TokenId> inputs;
    std::vector<Segment> segments;
    std::vector<TokenQuery> queries;
    std::size_t last = first;
    for (; last < sequences.size(); ++last) {
      const ScoredSequence& sequence = sequences[last];
      if (last > first && inputs.size() + sequence.num_inputs() > kBlockTokens) break;
      segments.push_back({inputs.size(), sequence.num_inputs(), nullptr, 0});
      for (std::size_t i = sequence.first_target; i < sequence.tokens.size(); ++i)
        queries.push_back({inputs.size() + i - 1, sequence.tokens[i]});
      inputs.insert(inputs.end(), sequence.tokens.begin(), sequence.tokens.end() - 1);
    }
    std::vector<float> x(inputs.size() * h.embedding);
    transformer.embed(inputs, replacements, x.data());
    transformer.run_layers(0, h.num_layers, segments, replacements, x.data());
    std::vector<double> values(queries.size());
    scorer.log_probabilities(x.data(), queries, replacements, values);
    auto next = values.begin();
    for (; first < last; ++first) {
      const auto end = next + static_cast<std::ptrdiff_t>(sequences[first].num_targets());
      scores.emplace_back(next, end);
      next = end;
    }
  }
  return scores;
}

}  // namespace bankai::model
