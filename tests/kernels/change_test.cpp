// The operations that judge changes of candidates: every table against the scalar one bit for bit,
// and the scalar one against the definitions in kernel_table.h.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

using Floats = std::vector<float>;

struct Inputs {
  Floats a, b, c, d, sums;
};

Inputs draw(Draws& draws, std::size_t n, bool awkward) {
  const auto some = [&] { return awkward ? draws.awkward(n) : draws.ordinary(n); };
  return {some(), some(), some(), some(), some()};
}

// What `op` makes of the sums, in buffers that end at a page without access.
template <typename Op>
Floats run(const KernelTable& table, const Inputs& in, Op op) {
  const GuardedBuffer<float> a(in.a), b(in.b), c(in.c), d(in.d);
  GuardedBuffer<float> sums(in.sums);
  op(table, a.data(), b.data(), c.data(), d.data(), in.a.size(), sums.data());
  return sums.values();
}

void add_products(const KernelTable& table, const float* a, const float* b, const float*,
                  const float*, std::size_t n, float* sums) {
  table.add_products(a, b, n, sums);
}
void add_silu_changes(const KernelTable& table, const float* a, const float* b, const float* c,
                      const float* d, std::size_t n, float* sums) {
  table.add_silu_changes(a, b, c, d, n, sums);
}
void add_relu2_changes(const KernelTable& table, const float* a, const float* b, const float* c,
                       const float* d, std::size_t n, float* sums) {
  table.add_relu2_changes(a, b, c, d, n, sums);
}
void add_shortfalls(const KernelTable& table, const float* a, const float* b, const float* c,
                    const float* d, std::size_t n, float* sums) {
  const float slack = n > 0 ? c[0] : 0.0F;
  const float weight = n > 0 ? d[0] : 0.0F;
  table.add_shortfalls(a, b, n, slack, weight, sums);
}

constexpr auto kOps = {add_products, add_silu_changes, add_relu2_changes, add_shortfalls};

TEST(Change, every_table_gives_the_scalar_bits) {
  Draws draws(98);
  for (const bool awkward : {false, true})
    for (std::size_t n = 0; n <= 70; ++n) {
      const Inputs in = draw(draws, n, awkward);
      for (const auto op : kOps) {
        const Floats expected = run(*all_kernels().front(), in, op);
        for_each_supported_table([&](const KernelTable& table) {
          expect_same_bits(run(table, in, op), expected, std::to_string(n));
        });
      }
    }
}

TEST(Change, scalar_is_the_definition) {
  Draws draws(99);
  const KernelTable& scalar = *all_kernels().front();
  const std::size_t n = 37;
  const Inputs in = draw(draws, n, false);
  const Floats products = run(scalar, in, add_products);
  const Floats silu = run(scalar, in, add_silu_changes);
  const Floats relu2 = run(scalar, in, add_relu2_changes);
  const Floats shortfalls = run(scalar, in, add_shortfalls);
  const Floats ones(n, 1.0F);
  for (std::size_t i = 0; i < n; ++i) {
    EXPECT_EQ(products[i], std::fma(in.a[i], in.b[i], in.sums[i]));
    const float gate = std::fma(-2.0F, in.b[i], in.a[i]);
    float after = 0.0F;
    scalar.silu_mul(&gate, ones.data(), 1, &after);
    EXPECT_EQ(silu[i], std::fma(in.d[i], after - in.c[i], in.sums[i]));
    scalar.relu2_mul(&gate, ones.data(), 1, &after);
    EXPECT_EQ(relu2[i], std::fma(in.d[i], after - in.c[i], in.sums[i]));
    const float slack = in.c[0];
    const float left = std::fma(in.a[i], in.b[i], slack);
    const float change = (left < 0.0F ? -left : 0.0F) - (slack < 0.0F ? -slack : 0.0F);
    EXPECT_EQ(shortfalls[i], std::fma(in.d[0], change, in.sums[i]));
  }
}

TEST(Change, integers_are_the_nearest_and_limited) {
  Draws draws(100);
  constexpr float kLimit = 100.0F;
  for (const bool awkward : {false, true})
    for (std::size_t n = 0; n <= 70; ++n) {
      const Inputs in = draw(draws, n, awkward);
      std::vector<std::int64_t> before(n);
      for (std::size_t i = 0; i < n; ++i)
        before[i] = static_cast<std::int64_t>(draws.below(1U << 30U)) - (1 << 29);
      for_each_supported_table([&](const KernelTable& table) {
        const GuardedBuffer<float> a(in.a), b(in.b);
        GuardedBuffer<std::int64_t> sums(before);
        table.add_fixed(a.data(), b.data(), n, kLimit, sums.data());
        const std::vector<std::int64_t> found = sums.values();
        for (std::size_t i = 0; i < n; ++i) {
          const float x = in.a[i] * in.b[i];
          const float limited = std::isnan(x) ? -kLimit : std::fmin(std::fmax(x, -kLimit), kLimit);
          const auto integer =
              static_cast<std::int64_t>(std::nearbyint(static_cast<double>(limited) * 0x1p40));
          ASSERT_EQ(found[i] - before[i], integer) << table.name << ", " << x;
        }
      });
    }
}

TEST(Change, integers_round_ties_to_even) {
  const Floats a = {0x1p-41F, 0x1.8p-40F, -0x1p-41F, -0x1.8p-40F, 0x1.4p-39F};
  const Floats ones(a.size(), 1.0F);
  for_each_supported_table([&](const KernelTable& table) {
    std::vector<std::int64_t> sums(a.size());
    table.add_fixed(a.data(), ones.data(), a.size(), 1.0F, sums.data());
    EXPECT_EQ(sums, (std::vector<std::int64_t>{0, 2, 0, -2, 2})) << table.name;
  });
}

}  // namespace
}  // namespace bankai::kernels
