// How far one way of running a model is from another: the Kullback-Leibler divergence of its
// predictions from those of a reference, on a text.
//
// The text is cut into disjoint chunks, each from an empty past, the last one shorter (left out if
// it has a single token). After every token of a chunk but the last, both predict the next token:
//   KL(reference ‖ other) = Σ_i p_i · (ln p_i − ln q_i)   in nats, over the whole vocabulary
// Means are over all positions of all chunks. The other figures are named and defined as in
// llama.cpp's perplexity tool: percentiles interpolate between the sorted divergences, Δp is the
// change of the probability of the token that comes next.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "core/result.h"
#include "model/transformer.h"

namespace bankai::model {

// Of one position.
struct PositionDivergence {
  double divergence = 0.0;     // nats, not negative
  double reference_nll = 0.0;  // of the next token, nats
  double nll = 0.0;
  bool same_top = false;  // both have the same likeliest token (the first of equal ones)
};

// REQUIRES: as many logits of either, at least one, and `next` among them. Double precision, sums
// in the order of the vocabulary.
PositionDivergence compare_logits(std::span<const float> reference, std::span<const float> other,
                                  std::size_t next);

struct DivergenceResult {
  std::size_t positions = 0;
  std::size_t chunks = 0;
  double mean = 0.0;  // nats, as the next ones
  double median = 0.0;
  double percentile_99 = 0.0;
  double percentile_999 = 0.0;  // 99.9 %
  double largest = 0.0;
  double largest_chunk_mean = 0.0;
  double same_top = 0.0;      // share of the positions
  double mean_delta_p = 0.0;  // of probabilities, 0 … 1
  double rms_delta_p = 0.0;
  double reference_nll = 0.0;  // mean, nats per token
  double nll = 0.0;

  double mean_bits() const;
};

// Figures of positions, chunk by chunk: chunk_ends[c] is where chunk c ends. REQUIRES: a position.
DivergenceResult summarise(std::span<const PositionDivergence> positions,
                           std::span<const std::size_t> chunk_ends);

// Errors: kBadInput unless both predict as many tokens.
Status check_vocabularies(std::size_t reference, std::size_t model);

// Figures of a text: compare() appends the positions of a chunk, one for each of its tokens but the
// last. Chunks of `context` tokens, at most `max_chunks` of them; `progress(done, all)` counts
// them. REQUIRES: context at least 2. Errors: kBadInput for a text of fewer than two tokens.
Result<DivergenceResult> measure_chunks(
    std::span<const TokenId> tokens, std::size_t context, std::size_t max_chunks,
    const std::function<void(std::span<const TokenId>, std::vector<PositionDivergence>&)>& compare,
    const std::function<void(std::size_t, std::size_t)>& progress);

struct DivergenceSide {
  Transformer& transformer;
  const Replacements& replacements;
};

// As measure_chunks. Memory: the activations of a chunk and some rows of logits of either side, and
// a few numbers per position. The same bits for any number of threads. Errors: also kBadInput for
// vocabularies of different sizes.
Result<DivergenceResult> measure_divergence(
    DivergenceSide reference, DivergenceSide other, std::span<const TokenId> tokens,
    std::size_t context, std::size_t max_chunks,
    const std::function<void(std::size_t, std::size_t)>& progress);

}  // namespace bankai::model
