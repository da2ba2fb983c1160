// The product with transposed one-bit weights.
#include "tests/bench/bench_problem.h"

namespace bankai::kernels {
namespace {

void run(benchmark::State& state, const KernelTable& table, std::size_t rows, std::size_t cols,
         std::size_t tokens, bool fine) {
  const RandomPanels weights(PanelFormat::kOneBit, rows, cols);
  const std::vector<float> gradient = random_floats(tokens * rows, 2);
  std::vector<float> out(tokens * cols);
  const auto multiply = [&](const KernelTable& by, std::size_t count, float* to) {
    by.gemm_transposed(weights.panels(rows), 0, cols / 128, gradient.data(), count, rows, fine, to,
                       cols);
  };
  std::vector<float> expected(cols);
  multiply(scalar_table(), 1, expected.data());
  multiply(table, tokens, out.data());
  if (std::memcmp(expected.data(), out.data(), cols * sizeof(float)) != 0)
    return state.SkipWithError("differs from the scalar table");
  for (auto _ : state) {
    multiply(table, tokens, out.data());
    benchmark::ClobberMemory();
  }
  state.counters["mac/s"] = per_second(static_cast<double>(rows * cols * tokens));
}

[[maybe_unused]] const bool kRegistered = [] {
  for_each_table([](const KernelTable& table) {
    for (const std::size_t tokens : {1U, 64U})
      for (const bool fine : {false, true}) {
        if (tokens > 1 && &table == &scalar_table()) continue;
        const std::string name = std::string("transposed/") + table.name + "/2048x2048/" +
                                 std::to_string(tokens) + (fine ? "/a16" : "/a8");
        benchmark::RegisterBenchmark(name.c_str(), [=, &table](benchmark::State& state) {
          run(state, table, 2048, 2048, tokens, fine);
        });
      }
  });
  return true;
}();

}  // namespace
}  // namespace bankai::kernels
