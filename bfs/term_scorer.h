// From residual rows at the top of the model to the scores of an objective's items.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bfs/objective.h"
#include "model/scoring.h"

namespace bankai::bfs {

// One evaluation of a sequence inside a block: where its rows are and where its term values go.
struct SequenceInBlock {
  std::uint32_t sequence = 0;
  std::size_t first_row = 0;  // of the block
  double* values = nullptr;   // (objective terms); only this sequence's terms are written
};

class TermScorer {
 public:
  TermScorer(model::Transformer& transformer, const Objective& objective);

  // The rows of the block that terms look at, ascending: the only ones whose top matters.
  std::vector<std::size_t> rows(std::span<const SequenceInBlock> block) const;

  // In the following, x holds the residual rows of rows(block) alone, in that order.

  // The distributions of the unpatched model, which kl terms compare with, are taken from this
  // block.
  void record_reference(const float* x, std::span<const SequenceInBlock> block);

  // Term values of the block's sequences: ln P of the term's token, or the divergence from the
  // reference.
  void score(const float* x, std::span<const SequenceInBlock> block,
             const model::Replacements& replacements);

  // Scores of all items (items) from the values of all terms (terms), added in order.
  std::vector<double> item_scores(std::span<const double> values) const;

 private:
  // Consecutive terms of a sequence that look at the same row.
  struct RowTerms {
    std::uint32_t row = 0;
    std::vector<std::size_t> terms;
  };
  struct RowRef {
    const RowTerms* terms = nullptr;
    double* values = nullptr;
  };
  std::vector<RowRef> refs(std::span<const SequenceInBlock> block) const;
  double divergence(std::size_t term, std::span<const float> logits) const;

  const Objective& objective_;
  model::Scorer scorer_;
  const kernels::KernelTable& table_;
  std::vector<std::vector<RowTerms>> rows_of_sequence_;
  std::vector<std::vector<float>> reference_;  // logits by term; empty for other terms
};

}  // namespace bankai::bfs
