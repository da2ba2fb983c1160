// What a search is asked to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bfs/candidate_space.h"
#include "bfs/objective.h"
#include "bfs/probe.h"

namespace bankai::bfs {

enum class StrategyKind { kGreedy, kExhaustive, kHillClimb, kEvolve };

struct StrategyName {
  StrategyKind kind;
  std::string_view name;
  std::string_view help;
  std::uint64_t default_iterations;
};
std::span<const StrategyName> all_strategies();
const StrategyName& strategy_name(StrategyKind kind);
std::optional<StrategyKind> find_strategy(std::string_view name);

struct WeightedData {
  DataSet data;
  double weight = 1.0;
};

struct SearchOptions {
  StrategyKind strategy = StrategyKind::kGreedy;
  Metric metric = Metric::kNll;          // of the targets
  Metric control_metric = Metric::kNll;  // of the controls
  double control_penalty = 2.0;          // λ of bfs/fitness.h
  Granularity granularity = Granularity::kRow;
  std::vector<TensorAddress> tensors;  // where to look
  std::uint64_t iterations = 0;  // rounds (greedy), draws (hill-climb); 0: the strategy's default
  std::uint64_t seed = 42;
  std::uint64_t candidates = 0;  // exhaustive: candidates sampled; 0: all
  std::uint64_t shortlist = 64;  // greedy: best candidates by first order verified in a round
  std::size_t budget_flips = 0;  // 0: no limit
  std::size_t budget_bytes = 0;  // of the binary patch; 0: no limit
  double probe_fraction = 1.0;   // of the targets, drawn anew for each round's proposals
  // greedy: of targets and controls, drawn anew for each round; they alone verify single candidates
  double verify_fraction = 1.0;
  double min_effect = 0.0;      // a round's mean target gain in standard errors
  bool curvature = true;        // first order bent as log-probabilities do
  double min_gain = 0.0;        // fitness that a round must add
  double flip_penalty = 0.0;    // fitness that every flip must pay for
  std::size_t population = 24;  // evolve: patches in a generation
  bool pareto = false;          // a round may not lower the mean gain of any target set
  std::size_t patience = 0;     // rounds without a better held-out score; 0: no early stop
  bool only_ranks = false;      // no exact evaluation of candidates: keep no activations for it
  std::string patch_name = "patch";  // stored in the patch, and counted by its bytes
  bool bare = false;                 // a patch without its base's hash, which then nobody can check
  std::size_t text_context = 512;    // tokens per window of a text
  // The first round's scores are wanted of all candidates, also of those that do not improve.
  bool all_scores = false;

  // How the work is done. Nothing here changes a result.
  std::size_t shards = 0;  // ranks that share the data, at least; 0: as few as memory allows
  std::uint64_t activation_bytes = std::uint64_t{1} << 32U;  // kept per rank; 0: no limit
};

struct SearchData {
  std::vector<WeightedData> targets;
  std::vector<WeightedData> controls;
  std::vector<WeightedData> held_out;
};

}  // namespace bankai::bfs
