// Sums of outer products: the gradient of a slice of weight rows over some tokens.
#include "tests/bench/bench_problem.h"

namespace bankai::kernels {
namespace {

void run(benchmark::State& state, const KernelTable& table, std::size_t rows, std::size_t cols,
         std::size_t tokens) {
  const std::vector<float> a = random_floats(tokens * rows, 1);
  const std::vector<float> b = random_floats(tokens * cols, 2);
  std::vector<float> out(rows * cols);
  std::vector<float> expected(out.size());
  const auto accumulate = [&](const KernelTable& by, std::vector<float>& to) {
    by.accumulate_outer(a.data(), rows, rows, b.data(), cols, cols, tokens, to.data(), cols);
  };
  accumulate(scalar_table(), expected);
  accumulate(table, out);
  if (!same_bytes(out, expected)) return state.SkipWithError("differs from the scalar table");
  for (auto _ : state) {
    accumulate(table, out);
    benchmark::ClobberMemory();
  }
  state.counters["mac/s"] = per_second(static_cast<double>(rows * cols * tokens));
}

[[maybe_unused]] const bool kRegistered = [] {
  for_each_table([](const KernelTable& table) {
    for (const std::size_t rows : {32U, 96U, 768U})
      for (const std::size_t cols : {256U, 2048U, 6144U})
        for (const std::size_t tokens : {14U, 128U, 512U}) {
          if (&table == &scalar_table() && rows * cols * tokens > 1U << 22U) continue;
          const std::string name = std::string("outer/") + table.name + "/" + std::to_string(rows) +
                                   "x" + std::to_string(cols) + "/" + std::to_string(tokens);
          benchmark::RegisterBenchmark(name.c_str(), [=, &table](benchmark::State& state) {
            run(state, table, rows, cols, tokens);
          });
        }
  });
  return true;
}();

}  // namespace
}  // namespace bankai::kernels
