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

enum class StrategyKind { kGreedy, kExhaustive, kHillClimb };

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
  std::uint64_t candidates = 0;      // greedy: candidates sampled for the first round; 0: all
  std::uint64_t shortlist = 256;     // greedy: best candidates scored again in each later round
  std::size_t budget_flips = 0;      // 0: no limit
  std::size_t budget_bytes = 0;      // of the binary patch; 0: no limit
  double min_gain = 0.0;             // fitness that a round must add
  std::size_t patience = 0;          // rounds without a better held-out score; 0: no early stop
  std::string patch_name = "patch";  // stored in the patch, and counted by its bytes
  std::size_t text_context = 512;    // tokens per window of a text
};

struct SearchData {
  std::vector<WeightedData> targets;
  std::vector<WeightedData> controls;
  std::vector<WeightedData> held_out;
};

}  // namespace bankai::bfs
