#include "bfs/term_scorer.h"

#include "kernels/scalar_math.h"

namespace bankai::bfs {

void TermScorer::record_reference(std::size_t term, std::span<const float> logits) {
  if (objective_.terms[term].token != kWholeDistribution) return;
  reference_[term].assign(logits.begin(), logits.end());
  reference_total_[term] = model::log_sum_exp(table_, logits);
}

void TermScorer::record_reference(model::Scorer& scorer, const float* x,
                                  std::span<const ScoredRow> rows) {
  scorer.visit_logits(x, rows.size(), {}, [&](std::size_t i, std::span<const float> logits) {
    for (const std::size_t term : rows[i].terms) record_reference(term, logits);
  });
}

// Σ p (ln p − ln q) over the vocabulary, p the reference.
double TermScorer::divergence(std::size_t term, std::span<const float> logits, double total) const {
  const std::vector<float>& reference = reference_[term];
  double sum = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double log_p = static_cast<double>(reference[i]) - reference_total_[term];
    const double log_q = static_cast<double>(logits[i]) - total;
    sum += kernels::exp_f64(log_p) * (log_p - log_q);
  }
  return sum;
}

double TermScorer::value(std::size_t term, std::span<const float> logits, double total) const {
  const model::TokenId token = objective_.terms[term].token;
  if (token == kWholeDistribution) return divergence(term, logits, total);
  return static_cast<double>(logits[static_cast<std::size_t>(token)]) - total;
}

void TermScorer::score(model::Scorer& scorer, const float* x,
                       const model::Replacements& replacements,
                       std::span<const ScoredRow> rows) const {
  scorer.visit_logits(x, rows.size(), replacements,
                      [&](std::size_t i, std::span<const float> logits) {
                        const double total = model::log_sum_exp(table_, logits);
                        for (const std::size_t term : rows[i].terms)
                          rows[i].values[term] = value(term, logits, total);
                      });
}

std::vector<double> TermScorer::item_scores(std::span<const double> values) const {
  std::vector<double> scores;
  scores.reserve(objective_.items.size());
  for (const Item& item : objective_.items) {
    double sum = 0.0;
    for (std::size_t i = item.first_term; i < item.last_term; ++i)
      sum += objective_.terms[i].coefficient * values[i];
    scores.push_back(item_score(item, sum));
  }
  return scores;
}

}  // namespace bankai::bfs
