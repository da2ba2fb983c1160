#include "bfs/term_scorer.h"

#include "kernels/scalar_math.h"

namespace bankai::bfs {

void TermScorer::record_reference(model::Scorer& scorer, const float* x,
                                  std::span<const ScoredRow> rows) {
  scorer.visit_logits(x, rows.size(), {}, [&](std::size_t i, std::span<const float> logits) {
    for (const std::size_t term : rows[i].terms)
      if (objective_.terms[term].token == kWholeDistribution) {
        reference_[term].assign(logits.begin(), logits.end());
        reference_total_[term] = model::log_sum_exp(table_, logits);
      }
  });
}

// Σ p (ln p − ln q) over the vocabulary, p the reference.
double TermScorer::divergence(std::size_t term, std::span<const float> logits) const {
  const std::vector<float>& reference = reference_[term];
  const double total = model::log_sum_exp(table_, logits);
  double sum = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double log_p = static_cast<double>(reference[i]) - reference_total_[term];
    const double log_q = static_cast<double>(logits[i]) - total;
    sum += kernels::exp_f64(log_p) * (log_p - log_q);
  }
  return sum;
}

void TermScorer::score(model::Scorer& scorer, const float* x,
                       const model::Replacements& replacements,
                       std::span<const ScoredRow> rows) const {
  scorer.visit_logits(
      x, rows.size(), replacements, [&](std::size_t i, std::span<const float> logits) {
        const double total = model::log_sum_exp(table_, logits);
        for (const std::size_t term : rows[i].terms) {
          const model::TokenId token = objective_.terms[term].token;
          rows[i].values[term] =
              token == kWholeDistribution
                  ? divergence(term, logits)
                  : static_cast<double>(logits[static_cast<std::size_t>(token)]) - total;
        }
      });
}

std::vector<double> TermScorer::item_scores(std::span<const double> values) const {
  std::vector<double> scores;
  scores.reserve(objective_.items.size());
  for (const Item& item : objective_.items) {
    double sum = 0.0;
    for (std::size_t i = item.first_term; i < item.last_term; ++i)
      sum += objective_.terms[i].coefficient * values[i];
    scores.push_back(sum);
  }
  return scores;
}

}  // namespace bankai::bfs
