// Changes near a plan: some tensors give up bytes that others use better. Losses do not add, so
// what a change is worth is measured in the presence of the plan's other steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "packer/plan_options.h"

namespace bankai::packer {

// Tensors that change together, each a step up (more bytes) or each a step down.
struct Exchange {
  std::vector<std::pair<std::size_t, std::size_t>> options;  // tensor, its other option
  double bytes = 0.0;   // how many more, or fewer, by the options' sizes
  double single = 0.0;  // what the options' losses change by
  double change = 0.0;  // the same, measured in the presence of the plan's other steps

  // Of a byte, by the options' losses.
  double worth() const;
};

// Every member goes to the next option on the hull of its sizes and losses that is at least a
// sixteenth of its exact size away, or to the last one; those that are there stay. nullopt: all do.
// `options`: of all tensors; `plan`: the option of each.
std::optional<Exchange> step_exchange(const std::vector<TensorOptions>& options,
                                      const std::vector<std::size_t>& plan,
                                      const std::vector<std::size_t>& members, bool is_up);

struct ExchangedPlan {
  std::vector<std::size_t> options;
  std::vector<double> changes;  // of the loss by each tensor, as the exchanges promise

  double change() const;
};

// The best choice of at most `bytes` between the plan and what the exchanges have measured; options
// between count in proportion to their losses. Every byte that changes counts as a loss of
// `caution` times what a byte is worth in the mean of the exchanges: more caution changes less.
// nullopt: nothing fits. REQUIRES: a tensor is in at most one exchange up and one down.
std::optional<ExchangedPlan> best_exchange(const std::vector<TensorOptions>& options,
                                           const std::vector<std::size_t>& plan,
                                           const std::vector<Exchange>& exchanges,
                                           std::uint64_t bytes, double caution);

}  // namespace bankai::packer
