// Random operands of the kernels, and how a benchmark of an op is registered for every table that
// this machine can run: the answer is compared with the scalar table's before anything is timed.
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "core/counter_rng.h"
#include "kernels/dispatch.h"

namespace bankai::kernels {

// Weights and digits of any value; scales near 1/16.
struct RandomPanels {
  RandomPanels(PanelFormat format, std::size_t rows, std::size_t cols);
  Panels panels(std::size_t num_rows) const;

  PanelFormat format;
  std::size_t rows;
  std::size_t cols;
  std::vector<PanelLine> lines;
};

std::vector<std::int8_t> random_digits(std::size_t count, std::uint64_t seed);
std::vector<float> random_floats(std::size_t count, std::uint64_t seed);

template <typename T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

inline const KernelTable& scalar_table() { return *all_kernels().front(); }

// Calls visit(table) for every table of this machine, the scalar one last.
template <typename Visit>
void for_each_table(Visit visit) {
  for (const KernelTable* table : all_kernels())
    if (is_supported(*table) && table != &scalar_table()) visit(*table);
  visit(scalar_table());
}

// A rate shown per second, with a decimal prefix.
inline benchmark::Counter per_second(double count) {
  return {count, benchmark::Counter::kIsIterationInvariantRate};
}

}  // namespace bankai::kernels
