// Predicted changes of candidates summed over slices of the data, as exact integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bfs/predicted_change.h"
#include "kernels/kernel_table.h"

namespace bankai::bfs {

class ChangeSums {
 public:
  explicit ChangeSums(std::size_t count) : gains_(count), minus_losses_(count) {}

  // Adds to candidates [first, first + n) what a slice means for them: target gains gains_i ·
  // factors_i, or control losses. Beyond PredictedChange::kLargest is that; what is no number
  // counts as the largest loss. Different candidates may be added to from different threads.
  void add_gains(const kernels::KernelTable& table, std::size_t first, std::size_t n,
                 const float* gains, const float* factors);
  void add_gains(const kernels::KernelTable& table, std::size_t first, std::size_t n,
                 const float* gains);
  void add_losses(const kernels::KernelTable& table, std::size_t first, std::size_t n,
                  const float* losses);

  PredictedChange change(std::size_t candidate) const {
    return {gains_[candidate], -minus_losses_[candidate]};
  }
  void clear();

 private:
  std::vector<std::int64_t> gains_, minus_losses_;
};

}  // namespace bankai::bfs
