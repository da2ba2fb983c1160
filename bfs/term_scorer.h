// From residual rows at the top of the model to the scores of an objective's items.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bfs/objective.h"
#include "model/scoring.h"

namespace bankai::bfs {

// A residual row and what is read there.
struct ScoredRow {
  std::span<const std::size_t> terms;  // of the objective
  double* values = nullptr;            // (objective terms); only these are written
};

// Different rows may be scored from different threads, each with its own model::Scorer.
class TermScorer {
 public:
  TermScorer(const kernels::KernelTable& table, const Objective& objective)
      : objective_(objective),
        table_(table),
        reference_(objective.terms.size()),
        reference_total_(objective.terms.size()) {}

  // In the following, x (rows, embedding) holds the residual rows.

  // The distributions of the unpatched model, which kl terms compare with, are taken from here.
  void record_reference(model::Scorer& scorer, const float* x, std::span<const ScoredRow> rows);

  // Term values: ln P of the term's token, or the divergence from the reference.
  void score(model::Scorer& scorer, const float* x, const model::Replacements& replacements,
             std::span<const ScoredRow> rows) const;

  // The same from logits (vocabulary): of the unpatched model, and now.
  void record_reference(std::size_t term, std::span<const float> logits);
  // total: ln Σ exp of the logits.
  double value(std::size_t term, std::span<const float> logits, double total) const;

  // Scores of all items (items) from the values of all terms (terms), added in order.
  std::vector<double> item_scores(std::span<const double> values) const;

 private:
  double divergence(std::size_t term, std::span<const float> logits, double total) const;

  const Objective& objective_;
  const kernels::KernelTable& table_;
  std::vector<std::vector<float>> reference_;  // logits by term; empty for other terms
  std::vector<double> reference_total_;        // ln Σ exp of them
};

}  // namespace bankai::bfs
