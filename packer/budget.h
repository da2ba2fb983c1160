// The choice under a byte budget: every item has options of a size and a loss; the cheapest choice
// of one option each is sought, whose bytes fit. Sizes and losses add.
//
// The path from the best choice to the smallest one follows the lower convex hull of every item's
// options, steepest steps first (Lagrange multipliers for discrete choices: Everett 1963; Shoham
// and Gersho 1988): every point of it is the best choice of its size. Between two points, slack is
// used by single changes; what is lost against the best possible choice is at most one step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace bankai::packer {

struct BudgetOption {
  std::uint64_t bytes = 0;
  double loss = 0.0;  // finite
};
using BudgetItem = std::vector<BudgetOption>;  // at least one option

struct Selection {
  std::vector<std::size_t> options;  // of each item
  std::uint64_t bytes = 0;
  double loss = 0.0;
};

class BudgetCurve {
 public:
  // REQUIRES: sums of sizes stay below 2^63.
  explicit BudgetCurve(std::vector<BudgetItem> items);

  // Points of the path: 0 is every item's option of least loss, the last one that of least bytes.
  std::size_t num_points() const { return steps_.size() + 1; }
  Selection point(std::size_t index) const;
  std::uint64_t smallest_bytes() const;

  // A choice of at most `bytes`; nullopt if there is none.
  std::optional<Selection> best_within(std::uint64_t bytes) const;

  // The sums of a given choice. REQUIRES: an existing option of every item.
  Selection selection(std::vector<std::size_t> options) const;

 private:
  struct Step {
    std::size_t item = 0;
    std::size_t option = 0;  // after the step
    double slope = 0.0;      // loss per byte saved
  };
  void add_hull(std::size_t item);
  void use_slack(Selection& selection, std::uint64_t bytes) const;
  std::optional<Selection> shrink_once(Selection selection, std::uint64_t bytes) const;

  std::vector<BudgetItem> items_;
  std::vector<std::size_t> start_;  // options of point 0
  std::vector<Step> steps_;
};

}  // namespace bankai::packer
