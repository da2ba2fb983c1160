#include "bfs/term_scorer.h"

#include <algorithm>

#include "kernels/scalar_math.h"

namespace bankai::bfs {

TermScorer::TermScorer(model::Transformer& transformer, const Objective& objective)
    : objective_(objective),
      scorer_(transformer),
      table_(transformer.table()),
      rows_of_sequence_(objective.sequences.size()),
      reference_(objective.terms.size()) {
  for (std::size_t i = 0; i < objective.terms.size(); ++i) {
    std::vector<RowTerms>& rows = rows_of_sequence_[objective.terms[i].sequence];
    const std::uint32_t row = objective.terms[i].row;
    const auto place =
        std::lower_bound(rows.begin(), rows.end(), row,
                         [](const RowTerms& r, std::uint32_t x) { return r.row < x; });
    if (place != rows.end() && place->row == row) {
      place->terms.push_back(i);
    } else {
      rows.insert(place, {row, {i}});
    }
  }
}

std::vector<std::size_t> TermScorer::rows(std::span<const SequenceInBlock> block) const {
  std::vector<std::size_t> rows;
  for (const SequenceInBlock& member : block)
    for (const RowTerms& row : rows_of_sequence_[member.sequence])
      rows.push_back(member.first_row + row.row);
  return rows;
}

std::vector<TermScorer::RowRef> TermScorer::refs(std::span<const SequenceInBlock> block) const {
  std::vector<RowRef> refs;
  for (const SequenceInBlock& member : block)
    for (const RowTerms& row : rows_of_sequence_[member.sequence])
      refs.push_back({&row, member.values});
  return refs;
}

void TermScorer::record_reference(const float* x, std::span<const SequenceInBlock> block) {
  const std::vector<RowRef> at = refs(block);
  scorer_.visit_logits(x, at.size(), {}, [&](std::size_t i, std::span<const float> logits) {
    for (const std::size_t term : at[i].terms->terms)
      if (objective_.terms[term].token == kWholeDistribution)
        reference_[term].assign(logits.begin(), logits.end());
  });
}

// Σ p (ln p − ln q) over the vocabulary, p the reference.
double TermScorer::divergence(std::size_t term, std::span<const float> logits) const {
  const std::vector<float>& reference = reference_[term];
  const double reference_total = model::log_sum_exp(table_, reference);
  const double total = model::log_sum_exp(table_, logits);
  double sum = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double log_p = static_cast<double>(reference[i]) - reference_total;
    const double log_q = static_cast<double>(logits[i]) - total;
    sum += kernels::exp_f64(log_p) * (log_p - log_q);
  }
  return sum;
}

void TermScorer::score(const float* x, std::span<const SequenceInBlock> block,
                       const model::Replacements& replacements) {
  const std::vector<RowRef> at = refs(block);
  scorer_.visit_logits(
      x, at.size(), replacements, [&](std::size_t i, std::span<const float> logits) {
        const double total = model::log_sum_exp(table_, logits);
        for (const std::size_t term : at[i].terms->terms) {
          const model::TokenId token = objective_.terms[term].token;
          at[i].values[term] =
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
