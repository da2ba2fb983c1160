// Products of ±1 with ±1.
#include "tests/bench/bench_problem.h"

namespace bankai::kernels {
namespace {

void run(benchmark::State& state, const KernelTable& table, std::size_t rows, std::size_t cols,
         std::size_t tokens) {
  const CounterRng rng(1);
  std::vector<std::uint64_t> weights(rows * cols / 64);
  std::vector<std::uint64_t> activations(tokens * cols / 64);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = rng.bits(i);
  for (std::size_t i = 0; i < activations.size(); ++i)
    activations[i] = rng.bits(weights.size() + i);
  std::vector<std::int32_t> out(tokens * rows);
  std::vector<std::int32_t> expected(out.size());
  const auto multiply = [&](const KernelTable& by, std::vector<std::int32_t>& to) {
    by.xnor_gemm(weights.data(), rows, activations.data(), tokens, cols, to.data(), rows);
  };
  multiply(scalar_table(), expected);
  multiply(table, out);
  if (!same_bytes(out, expected)) return state.SkipWithError("differs from the scalar table");
  for (auto _ : state) {
    multiply(table, out);
    benchmark::ClobberMemory();
  }
  state.counters["mac/s"] = per_second(static_cast<double>(rows * cols * tokens));
}

[[maybe_unused]] const bool kRegistered = [] {
  for_each_table([](const KernelTable& table) {
    for (const std::size_t cols : {512U, 2048U})
      for (const std::size_t tokens : {1U, 64U}) {
        const std::string name = std::string("xnor/") + table.name + "/2048x" +
                                 std::to_string(cols) + "/" + std::to_string(tokens);
        benchmark::RegisterBenchmark(name.c_str(), [=, &table](benchmark::State& state) {
          run(state, table, 2048, cols, tokens);
        });
      }
  });
  return true;
}();

}  // namespace
}  // namespace bankai::kernels
