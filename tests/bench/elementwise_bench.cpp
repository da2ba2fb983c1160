// What surrounds the products: norms, rotation, activations, digits, maxima; rows of 2,048 floats.
#include "tests/bench/bench_problem.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kCount = 2048;

// Inputs x and w, and what the op leaves behind.
struct Operands {
  std::vector<float> x = random_floats(kCount, 1);
  std::vector<float> w = random_floats(kCount, 2);
  std::vector<float> out = std::vector<float>(kCount);
  std::vector<std::int8_t> high = std::vector<std::int8_t>(kCount);
  std::vector<std::int8_t> low = std::vector<std::int8_t>(kCount);
  std::vector<float> scales = std::vector<float>(kCount / 128);
  double number = 0.0;
};

struct Op {
  const char* name;
  void (*run)(const KernelTable& table, Operands& o);
};

constexpr Op kOps[] = {
    {"quantize_a8",
     [](const KernelTable& t, Operands& o) {
       t.quantize_a8(o.x.data(), kCount, o.high.data(), o.scales.data());
     }},
    {"quantize_a16",
     [](const KernelTable& t, Operands& o) {
       t.quantize_a16(o.x.data(), kCount, o.high.data(), o.low.data(), o.scales.data());
     }},
    {"rms_norm",
     [](const KernelTable& t, Operands& o) {
       t.rms_norm(o.x.data(), o.w.data(), kCount, 1e-6F, o.out.data());
     }},
    {"rope_neox",
     [](const KernelTable& t, Operands& o) {
       o.out = o.x;
       t.rope_neox(o.out.data(), o.w.data(), o.w.data() + kCount / 2, kCount / 2);
     }},
    {"silu_mul", [](const KernelTable& t,
                    Operands& o) { t.silu_mul(o.x.data(), o.w.data(), kCount, o.out.data()); }},
    {"relu2_mul", [](const KernelTable& t,
                     Operands& o) { t.relu2_mul(o.x.data(), o.w.data(), kCount, o.out.data()); }},
    {"add_f32",
     [](const KernelTable& t, Operands& o) {
       o.out = o.w;
       t.add_f32(o.x.data(), o.out.data(), kCount);
     }},
    {"dot_f32",
     [](const KernelTable& t, Operands& o) {
       o.number = static_cast<double>(t.dot_f32(o.x.data(), o.w.data(), kCount));
     }},
    {"max_f32", [](const KernelTable& t,
                   Operands& o) { o.number = static_cast<double>(t.max_f32(o.x.data(), kCount)); }},
    {"sum_exp",
     [](const KernelTable& t, Operands& o) { o.number = t.sum_exp(o.x.data(), kCount, 0.5F); }},
};

bool same_results(const Operands& a, const Operands& b) {
  return same_bytes(a.out, b.out) && same_bytes(a.high, b.high) && same_bytes(a.low, b.low) &&
         same_bytes(a.scales, b.scales) && std::memcmp(&a.number, &b.number, sizeof a.number) == 0;
}

void run(benchmark::State& state, const KernelTable& table, const Op& op) {
  Operands operands;
  Operands expected;
  op.run(scalar_table(), expected);
  op.run(table, operands);
  if (!same_results(operands, expected))
    return state.SkipWithError("differs from the scalar table");
  for (auto _ : state) {
    op.run(table, operands);
    benchmark::ClobberMemory();
  }
  state.counters["values/s"] = per_second(static_cast<double>(kCount));
}

[[maybe_unused]] const bool kRegistered = [] {
  for_each_table([](const KernelTable& table) {
    for (const Op& op : kOps)
      benchmark::RegisterBenchmark(
          (std::string(op.name) + "/" + table.name).c_str(),
          [&table, &op](benchmark::State& state) { run(state, table, op); });
  });
  return true;
}();

}  // namespace
}  // namespace bankai::kernels
