// Pointer attention over bits: every table against a search over signs written here.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

struct PointerProblem {
  std::size_t bits;
  std::size_t positions;
  std::int64_t bit_cost;
  std::int64_t position_cost;
  std::vector<int> query;              // ±1, or 0 for a bit that does not count
  std::vector<std::vector<int>> keys;  // ±1
};

// Few distinct keys, so that ties are common.
PointerProblem make_pointer_problem(Draws& draws, std::size_t bits, std::size_t positions) {
  PointerProblem p{bits,
                   positions,
                   1 + static_cast<std::int64_t>(draws.below(2)),
                   static_cast<std::int64_t>(draws.below(4)) - 1,
                   {},
                   {}};
  for (std::size_t i = 0; i < bits; ++i)
    p.query.push_back(draws.below(5) == 0 ? 0 : draws.below(2) == 0 ? 1 : -1);
  std::vector<std::vector<int>> distinct(3, std::vector<int>(bits));
  for (auto& key : distinct)
    for (int& sign : key) sign = draws.below(2) == 0 ? 1 : -1;
  for (std::size_t j = 0; j < positions; ++j) p.keys.push_back(distinct[draws.below(3)]);
  return p;
}

std::size_t plain_pointer(const PointerProblem& p, bool latest) {
  std::size_t best = 0;
  std::int64_t best_cost = std::numeric_limits<std::int64_t>::max();
  for (std::size_t j = 0; j < p.positions; ++j) {
    std::int64_t cost = p.position_cost * (static_cast<std::int64_t>(p.positions - j) - 1);
    for (std::size_t i = 0; i < p.bits; ++i)
      if (p.query[i] * p.keys[j][i] < 0) cost += p.bit_cost;
    if (cost < best_cost || (latest && cost == best_cost)) {
      best_cost = cost;
      best = j;
    }
  }
  return best;
}

std::size_t find(const KernelTable& table, const PointerProblem& p, bool latest) {
  const std::size_t words = (p.bits + 63) / 64;
  const std::size_t stride = words * kBitPanelRows;
  std::vector<std::uint64_t> query(words);
  std::vector<std::uint64_t> mask(words);
  for (std::size_t i = 0; i < p.bits; ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i % 64;
    if (p.query[i] != 0) mask[i / 64] |= bit;
    if (p.query[i] > 0) query[i / 64] |= bit;
  }
  // What lies beyond the last position differs nowhere: it must not win.
  std::vector<std::uint64_t> keys((p.positions + 7) / 8 * stride);
  for (std::size_t j = 0; j < (p.positions + 7) / 8 * 8; ++j)
    for (std::size_t i = 0; i < p.bits; ++i)
      if (j < p.positions ? p.keys[j][i] > 0 : p.query[i] > 0)
        keys[j / 8 * stride + i / 64 * 8 + j % 8] |= std::uint64_t{1} << i % 64;
  GuardedBuffer<std::uint64_t> guarded_query(query);
  GuardedBuffer<std::uint64_t> guarded_mask(mask);
  GuardedBuffer<std::uint64_t> guarded_keys(keys);
  return table.xnor_pointer({.query = guarded_query.data(),
                             .mask = guarded_mask.data(),
                             .words = words,
                             .keys = guarded_keys.data(),
                             .panel_stride = stride,
                             .num_positions = p.positions,
                             .bit_cost = p.bit_cost,
                             .position_cost = p.position_cost,
                             .latest = latest});
}

TEST(XnorPointer, EveryTableFindsTheKeyOfLeastCost) {
  Draws draws(71);
  for (std::size_t positions = 1; positions <= 40; ++positions)
    for (const std::size_t bits : {1U, 7U, 32U, 64U, 65U, 130U, 2100U}) {
      const PointerProblem p = make_pointer_problem(draws, bits, positions);
      for (const bool latest : {false, true}) {
        const std::size_t expected = plain_pointer(p, latest);
        for_each_supported_table([&](const KernelTable& table) {
          ASSERT_EQ(find(table, p, latest), expected)
              << bits << " bits, " << positions << " positions, "
              << (latest ? "latest" : "earliest");
        });
        if (HasFatalFailure()) return;
      }
    }
}

// Without differences and without a price for distance all positions are equal.
TEST(XnorPointer, TiesGoToTheEndThatIsAskedFor) {
  for (const std::size_t positions : {1U, 7U, 8U, 9U, 1000U}) {
    const PointerProblem p{
        1, positions, 2, 0, {1}, std::vector<std::vector<int>>(positions, std::vector<int>{1})};
    for_each_supported_table([&](const KernelTable& table) {
      ASSERT_EQ(find(table, p, false), 0U);
      ASSERT_EQ(find(table, p, true), positions - 1);
    });
  }
}

}  // namespace
}  // namespace bankai::kernels
