#include "bfs/change_sums.h"

#include <algorithm>

namespace bankai::bfs {
namespace {

constexpr auto kLimit = static_cast<float>(PredictedChange::kLargest);

// sums += factor · values.
void add_scaled(const kernels::KernelTable& table, std::size_t n, const float* values, float factor,
                std::int64_t* sums) {
  constexpr std::size_t kTogether = 64;
  float factors[kTogether];
  std::fill(factors, factors + kTogether, factor);
  for (std::size_t i = 0; i < n; i += kTogether)
    table.add_fixed(values + i, factors, std::min(kTogether, n - i), kLimit, sums + i);
}

}  // namespace

void ChangeSums::add_gains(const kernels::KernelTable& table, std::size_t first, std::size_t n,
                           const float* gains, const float* factors) {
  table.add_fixed(gains, factors, n, kLimit, gains_.data() + first);
}

void ChangeSums::add_gains(const kernels::KernelTable& table, std::size_t first, std::size_t n,
                           const float* gains) {
  add_scaled(table, n, gains, 1.0F, gains_.data() + first);
}

void ChangeSums::add_losses(const kernels::KernelTable& table, std::size_t first, std::size_t n,
                            const float* losses) {
  add_scaled(table, n, losses, -1.0F, minus_losses_.data() + first);
}

void ChangeSums::clear() {
  std::fill(gains_.begin(), gains_.end(), 0);
  std::fill(minus_losses_.begin(), minus_losses_.end(), 0);
}

}  // namespace bankai::bfs
