// Attention over a head of 128 dimensions and 2,048 positions: scores, exponentials, values.
#include "kernels/half.h"
#include "tests/bench/bench_problem.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kDims = 128;
constexpr std::size_t kPositions = 2048;

struct Attention {
  KvType type;
  std::size_t num_queries;
  std::vector<float> queries = random_floats(num_queries * kDims, 1);
  std::vector<float> keys = random_floats(kPositions * kDims, 2);
  std::vector<std::uint16_t> half_keys = halves();

  std::vector<std::uint16_t> halves() const {
    std::vector<std::uint16_t> values;
    for (const float key : keys) values.push_back(float_to_f16(key));
    return values;
  }
  const void* data() const {
    if (type == KvType::kF16) return half_keys.data();
    return keys.data();
  }
  void score(const KernelTable& table, std::vector<float>& out) const {
    table.attention_scores[static_cast<std::size_t>(type)](
        queries.data(), num_queries, kDims, kDims, data(), kPositions / kKeyBlock,
        kDims * kKeyBlock, 0.1F, out.data(), kPositions);
  }
  void mix(const KernelTable& table, const std::vector<float>& weights,
           std::vector<float>& out) const {
    table.attention_values[static_cast<std::size_t>(type)](weights.data(), num_queries, kPositions,
                                                           data(), kDims, kPositions, kDims,
                                                           out.data(), kDims);
  }
};

void run_scores(benchmark::State& state, const KernelTable& table, KvType type,
                std::size_t num_queries) {
  const Attention attention{type, num_queries};
  std::vector<float> out(num_queries * kPositions);
  std::vector<float> expected(out.size());
  attention.score(scalar_table(), expected);
  attention.score(table, out);
  if (!same_bytes(out, expected)) return state.SkipWithError("differs from the scalar table");
  for (auto _ : state) {
    attention.score(table, out);
    benchmark::ClobberMemory();
  }
  state.counters["mac/s"] = per_second(static_cast<double>(num_queries * kPositions * kDims));
}

void run_values(benchmark::State& state, const KernelTable& table, KvType type,
                std::size_t num_queries) {
  const Attention attention{type, num_queries};
  const std::vector<float> weights = random_floats(num_queries * kPositions, 4);
  std::vector<float> out(num_queries * kDims);
  std::vector<float> expected(out.size());
  attention.mix(scalar_table(), weights, expected);
  attention.mix(table, weights, out);
  if (!same_bytes(out, expected)) return state.SkipWithError("differs from the scalar table");
  for (auto _ : state) {
    attention.mix(table, weights, out);
    benchmark::ClobberMemory();
  }
  state.counters["mac/s"] = per_second(static_cast<double>(num_queries * kPositions * kDims));
}

void run_exponentials(benchmark::State& state, const KernelTable& table) {
  const std::vector<float> scores = random_floats(kPositions, 5);
  std::vector<float> out = scores;
  std::vector<float> expected = scores;
  scalar_table().exponentials(expected.data(), kPositions);
  table.exponentials(out.data(), kPositions);
  if (!same_bytes(out, expected)) return state.SkipWithError("differs from the scalar table");
  for (auto _ : state) {
    std::copy(scores.begin(), scores.end(), out.begin());
    benchmark::DoNotOptimize(table.exponentials(out.data(), kPositions));
  }
  state.counters["values/s"] = per_second(static_cast<double>(kPositions));
}

[[maybe_unused]] const bool kRegistered = [] {
  for_each_table([](const KernelTable& table) {
    for (const KvType type : {KvType::kF16, KvType::kF32})
      for (const std::size_t queries : {1U, 2U, 16U}) {
        const std::string suffix = std::string(table.name) +
                                   (type == KvType::kF16 ? "/f16/" : "/f32/") +
                                   std::to_string(queries);
        benchmark::RegisterBenchmark(
            ("scores/" + suffix).c_str(),
            [=, &table](benchmark::State& state) { run_scores(state, table, type, queries); });
        benchmark::RegisterBenchmark(
            ("values/" + suffix).c_str(),
            [=, &table](benchmark::State& state) { run_values(state, table, type, queries); });
      }
    benchmark::RegisterBenchmark(
        (std::string("exponentials/") + table.name).c_str(),
        [&table](benchmark::State& state) { run_exponentials(state, table); });
  });
  return true;
}();

}  // namespace
}  // namespace bankai::kernels
