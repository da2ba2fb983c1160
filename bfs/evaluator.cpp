#include "bfs/evaluator.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <set>

#include "bfs/overlay.h"
#include "model/parallel.h"

namespace bankai::bfs {
namespace {

// Floats of the widest activation in a block: some threads' blocks should stay in the cache
// together, and a block of few tokens cannot keep the products busy.
constexpr std::size_t kBlockFloats = std::size_t{1} << 17U;
constexpr std::size_t kLeastBlockTokens = 128;
constexpr std::size_t kMostBlockTokens = 1024;

constexpr std::size_t kBatch = 64;  // candidates whose columns are in memory at the same time
constexpr std::size_t kBlocksPerThread = 4;  // fewer are done by all threads together

std::vector<std::uint32_t> all_sequences(const Objective& objective) {
  std::vector<std::uint32_t> all(objective.sequences.size());
  std::iota(all.begin(), all.end(), 0U);
  return all;
}

std::size_t block_tokens(const model::Hyperparameters& h) {
  return std::clamp(kBlockFloats / h.feed_forward, kLeastBlockTokens, kMostBlockTokens);
}

}  // namespace

Evaluator::Evaluator(model::Transformer& transformer, const Objective& objective,
                     std::span<const TensorAddress> searched)
    : transformer_(transformer),
      objective_(objective),
      term_scorer_(transformer.table(), objective),
      chunk_tokens_(block_tokens(transformer.model().parameters())),
      order_(evaluation_order(objective, all_sequences(objective))),
      tree_(objective.sequences, order_),
      chunks_(make_chunks(objective, tree_, order_, chunk_tokens_)),
      shared_runner_(transformer),
      trace_(shared_runner_, tree_, chunks_) {
  const model::ForwardOptions& options = transformer.options();
  for (int i = 0; options.threads > 1 && i < options.threads; ++i) {
    own_transformers_.push_back(std::make_unique<model::Transformer>(
        transformer.model(), transformer.table(),
        model::ForwardOptions{options.activations, options.kv, 1}));
    own_runners_.push_back(std::make_unique<BlockRunner>(*own_transformers_.back()));
  }
  const std::size_t width = transformer.model().parameters().embedding;
  for (const TensorAddress tensor : searched)
    inputs_.try_emplace(half_layer_of(tensor), tree_.num_nodes() * width, 0.0F);
  base_scores_ = run_all({}, Pass::kReference, {});
}

std::vector<double> Evaluator::evaluate_overlay(const model::RowOverlay& overlay) {
  return run_all(overlay, Pass::kPlain, {});
}

std::vector<double> Evaluator::evaluate_overlay(const model::RowOverlay& overlay, HalfLayer from) {
  return run_all(overlay, Pass::kPlain, from);
}

std::vector<double> Evaluator::evaluate_patch(std::span<const patch::Flip> flips) {
  return evaluate_overlay(make_overlay(transformer_.model(), flips));
}

std::vector<double> Evaluator::evaluate_patch(std::span<const patch::Flip> flips, HalfLayer from) {
  return evaluate_overlay(make_overlay(transformer_.model(), flips), from);
}

std::vector<double> Evaluator::enter_patch(std::span<const patch::Flip> flips) {
  return set_state(make_overlay(transformer_.model(), flips));
}

std::vector<double> Evaluator::set_state(model::RowOverlay overlay) {
  state_ = std::move(overlay);
  trace_.forget();
  return run_all(state_, Pass::kState, {});
}

// Calls body(i, runner) for i < count, with a runner that no other call uses at that time.
void Evaluator::for_each_block(std::size_t count,
                               const std::function<void(std::size_t, BlockRunner&)>& body) {
  const std::size_t threads = own_runners_.size();
  model::with_threads_at_hand(transformer_.options().threads, [&] {
    if (count < kBlocksPerThread * threads || threads == 0) {
      for (std::size_t i = 0; i < count; ++i) body(i, shared_runner_);
      return;
    }
    std::atomic<std::size_t> next = 0;
    model::parallel_for(transformer_.options().threads, threads, [&](IndexRange range) {
      for (std::size_t i = next++; i < count; i = next++) body(i, *own_runners_[range.begin]);
    });
  });
}

// All sequences through the half-layers from `from` on; at {0, attention} from the embedding.
std::vector<double> Evaluator::run_all(const model::RowOverlay& overlay, Pass pass,
                                       HalfLayer from) {
  std::vector<double> values(objective_.terms.size());
  for_each_block(chunks_.size(), [&](std::size_t i, BlockRunner& runner) {
    run_chunk(chunks_[i], runner, overlay, pass, from, values.data());
  });
  return term_scorer_.item_scores(values);
}

void Evaluator::run_chunk(const Chunk& chunk, BlockRunner& runner, const model::RowOverlay& overlay,
                          Pass pass, HalfLayer from, double* values) {
  const model::Hyperparameters& h = transformer_.model().parameters();
  runner.begin(chunk, 1, overlay,
               from == HalfLayer{static_cast<std::uint32_t>(h.num_layers - 1), true});
  const std::span<const std::uint32_t> nodes = runner.nodes();
  std::vector<float>& x = runner.x();
  x.resize(nodes.size() * h.embedding);
  if (from == HalfLayer{}) {
    std::vector<model::TokenId> tokens;
    for (const std::uint32_t node : nodes) tokens.push_back(tree_.token(node));
    runner.transformer().embed(tokens, {&overlay, {}}, x.data());
  } else {
    const std::vector<float>& inputs = inputs_.at(from);
    for (std::size_t i = 0; i < nodes.size(); ++i)
      std::copy_n(inputs.data() + nodes[i] * h.embedding, h.embedding, x.data() + i * h.embedding);
  }
  for (std::uint32_t layer = from.layer; layer < h.num_layers; ++layer) {
    for (const HalfLayer place : {HalfLayer{layer, false}, HalfLayer{layer, true}}) {
      if (place < from) continue;
      if (pass != Pass::kPlain) remember(place, chunk, runner);
      runner.run(place);
    }
  }
  if (pass == Pass::kReference) runner.record_reference(term_scorer_);
  runner.score(term_scorer_, {&values, 1});
}

// Keeps the block's residual rows for candidates that enter at `place`: those that no other chunk
// keeps.
void Evaluator::remember(HalfLayer place, const Chunk& chunk, BlockRunner& runner) {
  const auto found = inputs_.find(place);
  if (found == inputs_.end()) return;
  const std::size_t width = transformer_.model().parameters().embedding;
  const std::span<const std::uint32_t> nodes = runner.nodes();
  // At the top only scored rows are left: a node that an earlier chunk has too may have been left
  // out there.
  const bool only_scored = nodes.data() == chunk.scored_nodes.data();
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (only_scored ? chunk.first_to_score[i] != 0 : nodes[i] >= chunk.first_own_node)
      std::copy_n(runner.x().data() + i * width, width, found->second.data() + nodes[i] * width);
}

// A block of candidates, which go together, to the top.
void Evaluator::run_block(std::span<const Candidate> candidates, std::span<double* const> values,
                          const Chunk& chunk, BlockRunner& runner) {
  const HalfLayer place = trace_.place();
  const auto num_layers = static_cast<std::uint32_t>(transformer_.model().parameters().num_layers);
  trace_.run_half_layer(candidates, chunk, runner);
  if (!place.is_ffn) runner.run({place.layer, true});
  for (std::uint32_t layer = place.layer + 1; layer < num_layers; ++layer) {
    runner.run({layer, false});
    runner.run({layer, true});
  }
  runner.score(term_scorer_, values);
}

// Candidates of one half-layer. values: (flips, terms).
void Evaluator::evaluate_batch(std::span<const patch::Flip> flips, std::span<const Chunk> chunks,
                               const FitnessBound* bound, std::span<double> values,
                               std::span<std::uint8_t> is_rejected) {
  const std::size_t num_terms = objective_.terms.size();
  std::vector<Candidate> candidates = trace_.prepare(flips);
  std::vector<double*> values_of;
  for (std::size_t i = 0; i < flips.size(); ++i) values_of.push_back(values.data() + i * num_terms);
  std::vector<std::uint8_t> is_known(objective_.sequences.size());
  // Without a bound all chunks are one wave. With one, a wave is half of what is left, and ends
  // with a look at who is left: few waves, since threads wait for each other at their ends, and
  // most of them late, since little is certain early.
  for (std::size_t first = 0; first < chunks.size();) {
    const std::size_t rest = chunks.size() - first;
    const std::size_t last = first + (bound == nullptr ? rest : (rest + 1) / 2);
    std::vector<Block> blocks;
    for (std::size_t c = first; c < last; ++c) {
      const std::size_t most = std::max<std::size_t>(1, chunk_tokens_ / chunks[c].nodes.size());
      for (std::size_t i = 0; i < candidates.size(); ++i) {
        const bool continues = !blocks.empty() && blocks.back().chunk == c &&
                               i - blocks.back().first < most &&
                               Trace::go_together(candidates[blocks.back().first], candidates[i]);
        if (continues) {
          ++blocks.back().last;
        } else {
          blocks.push_back({c, i, i + 1});
        }
      }
    }
    for_each_block(blocks.size(), [&](std::size_t i, BlockRunner& runner) {
      const Block& block = blocks[i];
      const std::size_t count = block.last - block.first;
      run_block(std::span(candidates).subspan(block.first, count),
                std::span(values_of).subspan(block.first, count), chunks[block.chunk], runner);
    });
    if (bound == nullptr) break;
    for (; first < last; ++first)
      for (const std::uint32_t sequence : chunks[first].sequences) is_known[sequence] = 1;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (bound->rejects({values_of[i], num_terms}, is_known)) {
        is_rejected[static_cast<std::size_t>(values_of[i] - values.data()) / num_terms] = 1;
        continue;
      }
      if (kept != i) candidates[kept] = std::move(candidates[i]);
      values_of[kept++] = values_of[i];
    }
    candidates.resize(kept);
    values_of.resize(kept);
  }
}

void Evaluator::evaluate(std::span<const patch::Flip> flips, std::span<const Chunk> chunks,
                         const FitnessBound* bound, BoundedScores& results) {
  const std::size_t num_items = objective_.items.size();
  const std::size_t num_terms = objective_.terms.size();
  results.scores.resize(flips.size() * num_items);
  results.is_rejected.assign(flips.size(), 0);
  std::map<HalfLayer, std::vector<std::size_t>> by_place;
  for (std::size_t i = 0; i < flips.size(); ++i)
    by_place[half_layer_of(flips[i].tensor)].push_back(i);
  for (const auto& [place, indices] : by_place) {
    trace_.load(place, inputs_.at(place), state_);
    for (std::size_t first = 0; first < indices.size(); first += kBatch) {
      const std::span<const std::size_t> batch =
          std::span(indices).subspan(first, std::min(kBatch, indices.size() - first));
      std::vector<patch::Flip> some;
      for (const std::size_t i : batch) some.push_back(flips[i]);
      std::vector<double> values(batch.size() * num_terms);
      std::vector<std::uint8_t> is_rejected(batch.size());
      evaluate_batch(some, chunks, bound, values, is_rejected);
      for (std::size_t k = 0; k < batch.size(); ++k) {
        const std::vector<double> scores =
            term_scorer_.item_scores(std::span(values).subspan(k * num_terms, num_terms));
        std::copy(scores.begin(), scores.end(),
                  results.scores.begin() + static_cast<std::ptrdiff_t>(batch[k] * num_items));
        results.is_rejected[batch[k]] = is_rejected[k];
      }
    }
  }
}

std::vector<double> Evaluator::evaluate_flips(std::span<const patch::Flip> flips) {
  BoundedScores results;
  evaluate(flips, chunks_, nullptr, results);
  return std::move(results.scores);
}

std::vector<double> Evaluator::evaluate_flips(std::span<const patch::Flip> flips,
                                              std::span<const std::uint32_t> sequences) {
  const std::vector<Chunk> chunks =
      make_chunks(objective_, tree_, evaluation_order(objective_, sequences), chunk_tokens_);
  BoundedScores results;
  evaluate(flips, chunks, nullptr, results);
  return std::move(results.scores);
}

Evaluator::BoundedScores Evaluator::evaluate_flips(std::span<const patch::Flip> flips,
                                                   const FitnessBound& bound) {
  BoundedScores results;
  evaluate(flips, chunks_, &bound, results);
  return results;
}

// The inputs of all searched half-layers, and the trace of one of each kind (bfs/trace.h).
std::uint64_t Evaluator::bytes_per_node(const model::Hyperparameters& h,
                                        std::span<const TensorAddress> searched) {
  std::set<HalfLayer> places;
  for (const TensorAddress tensor : searched) places.insert(half_layer_of(tensor));
  const auto any = [&](bool is_ffn) {
    return std::any_of(places.begin(), places.end(),
                       [&](HalfLayer place) { return place.is_ffn == is_ffn; });
  };
  std::uint64_t floats = places.size() * h.embedding;
  if (!places.empty()) floats += 2 * h.embedding;                // outer_, after_
  if (any(true)) floats += 4 * h.feed_forward;                   // ffn_, hidden_, inner_
  if (any(false)) floats += 3 * h.query_dim() + 2 * h.kv_dim();  // attention_, inner_, a copy
  return floats * sizeof(float);
}

}  // namespace bankai::bfs
