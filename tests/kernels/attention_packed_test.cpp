// packed_scores and packed_values: every table gives the bits of the float ops on the elements that
// the codes stand for, with each buffer ending at a page without access.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "kernels/kv_codes.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

using Floats = std::vector<float>;
using Bytes = std::vector<std::uint8_t>;

constexpr float kUntouched = -12345.0F;

// Codes of `vectors` × `runs` runs, each with 16 lanes, beside the code of each lane.
struct Codes {
  Bytes packed;
  Bytes plain;  // (runs, 16)
};

Codes make_codes(Draws& draws, std::size_t bits, std::size_t runs) {
  Codes codes;
  codes.packed.resize(runs * code_run_bytes(bits), 0xA5);
  for (std::size_t run = 0; run < runs; ++run)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const auto code = static_cast<std::uint8_t>(draws.below(std::uint64_t{1} << bits));
      codes.plain.push_back(code);
      set_code(codes.packed.data() + run * code_run_bytes(bits), bits, lane, code);
    }
  return codes;
}

TEST(KvCodes, EveryLaneHasItsOwnBits) {
  for (const std::size_t bits : kKvCodeBits) {
    const auto most = static_cast<unsigned>((1U << bits) - 1U);
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      for (unsigned code = 0; code <= most; ++code) {
        for (const std::uint8_t before : {std::uint8_t{0}, std::uint8_t{0xFF}}) {
          Bytes run(code_run_bytes(bits), before);
          set_code(run.data(), bits, lane, static_cast<std::uint8_t>(code));
          for (std::size_t other = 0; other < kLanes; ++other) {
            const unsigned expected = other == lane ? code : before & most;
            ASSERT_EQ(get_code(run.data(), bits, other), expected);
          }
        }
      }
    }
  }
}

// The published packing of two bits and of one: the first code in the lowest bits.
TEST(KvCodes, FewBitsAreInOrder) {
  Bytes two(4, 0);
  Bytes one(2, 0);
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    set_code(two.data(), 2, lane, static_cast<std::uint8_t>(lane * 7 % 4));
    set_code(one.data(), 1, lane, static_cast<std::uint8_t>(lane * 7 % 3 % 2));
  }
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ(two[i], 4 * i * 7 % 4 + 4 * ((4 * i + 1) * 7 % 4) + 16 * ((4 * i + 2) * 7 % 4) +
                          64 * ((4 * i + 3) * 7 % 4));
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(one[i / 8] >> (i % 8) & 1, i * 7 % 3 % 2);
}

struct Problem {
  std::size_t bits = 0;  // index into kKvCodeBits
  std::size_t num_queries = 0;
  std::size_t head_dim = 0;
  std::size_t positions = 0;
  Floats queries, weights, mixed;
  Floats key_scales, key_minima;      // (blocks · 16)
  Floats value_scales, value_minima;  // (positions)
  Codes keys, values;

  std::size_t num_blocks() const { return (positions + kKeyBlock - 1) / kKeyBlock; }
  std::size_t width() const { return num_blocks() * kKeyBlock; }
  std::size_t value_runs() const { return (head_dim + kLanes - 1) / kLanes; }
  std::string text() const {
    return std::to_string(kKvCodeBits[bits]) + " bits, " + std::to_string(num_queries) +
           " queries, " + std::to_string(head_dim) + " dimensions, " + std::to_string(positions) +
           " positions";
  }
};

Problem make_problem(Draws& draws, std::size_t bits, std::size_t num_queries, std::size_t head_dim,
                     std::size_t positions, bool awkward) {
  Problem p;
  p.bits = bits;
  p.num_queries = num_queries;
  p.head_dim = head_dim;
  p.positions = positions;
  const auto draw = [&](std::size_t n) { return awkward ? draws.awkward(n) : draws.ordinary(n); };
  p.queries = draw(num_queries * head_dim);
  p.weights = draw(num_queries * positions);
  p.mixed = draw(num_queries * head_dim);
  p.key_scales = draw(p.width());
  p.key_minima = draw(p.width());
  p.value_scales = draw(positions);
  p.value_minima = draw(positions);
  p.keys = make_codes(draws, kKvCodeBits[bits], p.num_blocks() * head_dim);
  p.values = make_codes(draws, kKvCodeBits[bits], positions * p.value_runs());
  return p;
}

Floats scores(const KernelTable& table, const Problem& p, float scale) {
  const GuardedBuffer<float> queries(p.queries), scales(p.key_scales), minima(p.key_minima);
  const GuardedBuffer<std::uint8_t> codes(p.keys.packed);
  GuardedBuffer<float> out(Floats(p.num_queries * p.width(), kUntouched));
  table.packed_scores[p.bits](queries.data(), p.num_queries, p.head_dim, p.head_dim,
                              {codes.data(), scales.data(), minima.data()}, p.num_blocks(), scale,
                              out.data(), p.width());
  return out.values();
}

Floats values(const KernelTable& table, const Problem& p) {
  const GuardedBuffer<float> weights(p.weights), scales(p.value_scales), minima(p.value_minima);
  const GuardedBuffer<std::uint8_t> codes(p.values.packed);
  GuardedBuffer<float> out(p.mixed);
  table.packed_values[p.bits](weights.data(), p.num_queries, p.positions,
                              {codes.data(), scales.data(), minima.data()}, p.positions, p.head_dim,
                              out.data(), p.head_dim);
  return out.values();
}

float element(std::uint8_t code, float scale, float minimum) {
  return std::fma(static_cast<float>(code), scale, minimum);
}

// The float ops of the scalar table on the elements.
Floats expected_scores(const Problem& p, float scale) {
  Floats keys(p.num_blocks() * p.head_dim * kKeyBlock);
  for (std::size_t b = 0; b < p.num_blocks(); ++b)
    for (std::size_t d = 0; d < p.head_dim; ++d)
      for (std::size_t j = 0; j < kKeyBlock; ++j) {
        const std::size_t i = (b * p.head_dim + d) * kKeyBlock + j;
        const std::size_t position = b * kKeyBlock + j;
        keys[i] = element(p.keys.plain[i], p.key_scales[position], p.key_minima[position]);
      }
  Floats out(p.num_queries * p.width(), kUntouched);
  all_kernels().front()->attention_scores[static_cast<std::size_t>(KvType::kF32)](
      p.queries.data(), p.num_queries, p.head_dim, p.head_dim, keys.data(), p.num_blocks(),
      p.head_dim * kKeyBlock, scale, out.data(), p.width());
  return out;
}

Floats expected_values(const Problem& p) {
  const std::size_t stride = p.value_runs() * kLanes;
  Floats rows(p.positions * stride);
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = element(p.values.plain[i], p.value_scales[i / stride], p.value_minima[i / stride]);
  Floats out = p.mixed;
  all_kernels().front()->attention_values[static_cast<std::size_t>(KvType::kF32)](
      p.weights.data(), p.num_queries, p.positions, rows.data(), stride, p.positions, p.head_dim,
      out.data(), p.head_dim);
  return out;
}

void expect_tables_agree(const Problem& p) {
  const Floats expected[] = {expected_scores(p, 0.125F), expected_values(p)};
  for_each_supported_table([&](const KernelTable& table) {
    expect_same_bits(scores(table, p, 0.125F), expected[0], "scores, " + p.text());
    expect_same_bits(values(table, p), expected[1], "values, " + p.text());
  });
}

TEST(PackedAttention, EveryTableGivesTheBitsOfTheElementsAsFloats) {
  Draws draws(91);
  for (std::size_t bits = 0; bits < kNumKvCodes; ++bits) {
    for (std::size_t queries = 0; queries <= 19; ++queries)
      for (const std::size_t head_dim : {0U, 1U, 16U, 40U, 64U})
        expect_tables_agree(
            make_problem(draws, bits, queries, head_dim, draws.below(90), queries % 2 == 0));
    for (std::size_t head_dim = 0; head_dim <= 40; ++head_dim)
      expect_tables_agree(make_problem(draws, bits, 1 + draws.below(9), head_dim, 37, true));
    for (const std::size_t head_dim : {80U, 96U, 127U, 128U, 129U, 256U})
      expect_tables_agree(make_problem(draws, bits, 5, head_dim, 70, false));
    for (std::size_t positions = 0; positions <= 35; ++positions)
      expect_tables_agree(make_problem(draws, bits, 1 + draws.below(9), 24, positions, true));
    for (const std::size_t positions : {127U, 128U, 255U, 257U})
      expect_tables_agree(make_problem(draws, bits, 9, 16, positions, false));
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace bankai::kernels
