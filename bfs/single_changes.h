// First-order changes by flips of single weights, bits or steps: the change of the weight times its
// gradient, which is a sum of outer products over tokens, Σ ȳ x.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bfs/change_sink.h"
#include "bfs/item_tokens.h"
#include "bfs/token_digits.h"
#include "model/row_overlay.h"
#include "model/transformer.h"

namespace bankai::bfs {

// How the tokens of a half-layer's slices are summed for single weights. A change by one is so
// small that a target's effect is linear in it: neighbouring targets of equal weight are summed
// together.
class WeightRuns {
 public:
  struct Run {
    ItemEffect effect;
    IndexRange spans;  // of TokenDigits
    bool ends_slice = false;
  };
  // A slice with these items, in the order of their tokens.
  void add_slice(std::span<const ItemTokens> items);
  void clear();

  std::span<const Run> runs() const { return runs_; }
  // Spans of the slice added last, as tokens of its arrays.
  std::span<const IndexRange> spans() const { return spans_; }

 private:
  std::vector<Run> runs_;
  std::vector<IndexRange> spans_;
  std::size_t num_spans_ = 0;  // of all slices
};

// One kind of flip of all weights of a matrix, and the candidate that is the first of them.
struct SingleFlips {
  patch::FlipKind kind = patch::FlipKind::kBit;
  CandidateId first = 0;
};

// Changes of the fitness by `flips`, kinds that the matrix has, on top of its state, to `sink`.
// gradient, input: digits of ȳ (tokens, rows) as rows and x (tokens, cols) as columns, in the spans
// of `runs`.
void score_single_weights(model::Transformer& transformer, const model::WeightMatrix& matrix,
                          const model::RowOverlay& state, const WeightRuns& runs,
                          const TokenDigits& gradient, const TokenDigits& input,
                          std::span<const SingleFlips> flips, ChangeSink& sink);

}  // namespace bankai::bfs
