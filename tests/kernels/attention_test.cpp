// attention_scores and attention_values: every table against the scalar one bit for bit, with each
// buffer ending at a page without access; and the scalar one against the definition.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "kernels/half.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

using Floats = std::vector<float>;
using Halves = std::vector<std::uint16_t>;

constexpr float kUntouched = -12345.0F;

// n rows of `stride` elements of which the last one ends after `width`.
std::size_t extent(std::size_t n, std::size_t stride, std::size_t width) {
  return n == 0 ? 0 : (n - 1) * stride + width;
}

struct Problem {
  KvType type = KvType::kF32;
  std::size_t num_queries = 0;
  std::size_t head_dim = 0;
  std::size_t positions = 0;  // values; keys are in whole blocks
  std::size_t query_stride = 0;
  std::size_t block_stride = 0;
  std::size_t row_stride = 0;
  std::size_t out_stride = 0;
  Floats queries;
  Floats weights;  // of values: out_stride apart, like the scores
  Floats mixed;    // what the values are added to
  Floats keys;     // both as float, of which the halves are made
  Floats values;

  std::size_t num_blocks() const { return (positions + kKeyBlock - 1) / kKeyBlock; }
  std::string text() const {
    return std::string(type == KvType::kF16 ? "f16, " : "f32, ") + std::to_string(num_queries) +
           " queries, " + std::to_string(head_dim) + " dimensions, " + std::to_string(positions) +
           " positions";
  }
};

Problem make_problem(Draws& draws, KvType type, std::size_t num_queries, std::size_t head_dim,
                     std::size_t positions, bool awkward) {
  Problem p;
  p.type = type;
  p.num_queries = num_queries;
  p.head_dim = head_dim;
  p.positions = positions;
  p.query_stride = head_dim + draws.below(5);
  p.block_stride = head_dim * kKeyBlock + draws.below(3) * 8;
  p.row_stride = head_dim + draws.below(5);
  p.out_stride = p.num_blocks() * kKeyBlock + draws.below(4);
  const auto draw = [&](std::size_t n) { return awkward ? draws.awkward(n) : draws.ordinary(n); };
  p.queries = draw(extent(num_queries, p.query_stride, head_dim));
  p.weights = draw(extent(num_queries, p.out_stride, positions));
  p.mixed = draw(extent(num_queries, p.query_stride, head_dim));
  p.keys = draw(extent(p.num_blocks(), p.block_stride, head_dim * kKeyBlock));
  p.values = draw(extent(positions, p.row_stride, head_dim));
  return p;
}

// Keys or values in the problem's type.
class Stored {
 public:
  Stored(KvType type, const Floats& x)
      : type_(type), floats_(type == KvType::kF32 ? x : Floats()), halves_(as_halves(type, x)) {}
  const void* data() const {
    if (type_ == KvType::kF32) return floats_.data();
    return halves_.data();
  }

 private:
  static Halves as_halves(KvType type, const Floats& x) {
    Halves halves(type == KvType::kF16 ? x.size() : 0);
    for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = float_to_f16(x[i]);
    return halves;
  }

  KvType type_;
  GuardedBuffer<float> floats_;
  GuardedBuffer<std::uint16_t> halves_;
};

Floats scores(const KernelTable& table, const Problem& p, float scale) {
  const GuardedBuffer<float> queries(p.queries);
  const Stored keys(p.type, p.keys);
  const std::size_t width = p.num_blocks() * kKeyBlock;
  GuardedBuffer<float> out(Floats(extent(p.num_queries, p.out_stride, width), kUntouched));
  table.attention_scores[static_cast<std::size_t>(p.type)](
      queries.data(), p.num_queries, p.query_stride, p.head_dim, keys.data(), p.num_blocks(),
      p.block_stride, scale, out.data(), p.out_stride);
  return out.values();
}

// Written over the problem's `mixed`.
Floats values(const KernelTable& table, const Problem& p) {
  const GuardedBuffer<float> weights(p.weights);
  const Stored stored(p.type, p.values);
  GuardedBuffer<float> out(p.mixed);
  table.attention_values[static_cast<std::size_t>(p.type)](
      weights.data(), p.num_queries, p.out_stride, stored.data(), p.row_stride, p.positions,
      p.head_dim, out.data(), p.query_stride);
  return out.values();
}

constexpr KvType kTypes[] = {KvType::kF16, KvType::kF32};

void expect_tables_agree(const Problem& p) {
  const KernelTable& scalar = *all_kernels().front();
  const Floats expected_scores = scores(scalar, p, 0.125F);
  const Floats expected_values = values(scalar, p);
  for_each_supported_table([&](const KernelTable& table) {
    expect_same_bits(scores(table, p, 0.125F), expected_scores, "scores, " + p.text());
    expect_same_bits(values(table, p), expected_values, "values, " + p.text());
  });
}

TEST(Attention, EveryTableGivesTheScalarBits) {
  Draws draws(81);
  for (const KvType type : kTypes) {
    for (std::size_t queries = 0; queries <= 19; ++queries)
      for (const std::size_t head_dim : {0U, 1U, 16U, 40U, 64U})
        for (const bool awkward : {false, true})
          expect_tables_agree(
              make_problem(draws, type, queries, head_dim, draws.below(90), awkward));
    for (std::size_t head_dim = 0; head_dim <= 40; ++head_dim)
      expect_tables_agree(make_problem(draws, type, 1 + draws.below(9), head_dim, 37, true));
    for (const std::size_t head_dim : {80U, 96U, 127U, 128U, 129U, 256U, 272U})
      expect_tables_agree(make_problem(draws, type, 5, head_dim, 70, false));
    for (std::size_t positions = 0; positions <= 35; ++positions)
      expect_tables_agree(make_problem(draws, type, 1 + draws.below(9), 24, positions, true));
    for (const std::size_t positions : {127U, 128U, 255U, 256U, 257U, 300U})
      expect_tables_agree(make_problem(draws, type, 9, 16, positions, false));
    if (HasFatalFailure()) return;
  }
}

float stored_value(const Problem& p, float x) {
  return p.type == KvType::kF16 ? f16_to_float(float_to_f16(x)) : x;
}

TEST(Attention, ScoresAreTheChainsOfTheDefinition) {
  Draws draws(82);
  for (const KvType type : kTypes) {
    const Problem p = make_problem(draws, type, 3, 48, 40, false);
    const Floats out = scores(*all_kernels().front(), p, 0.3F);
    for (std::size_t q = 0; q < p.num_queries; ++q) {
      for (std::size_t j = 0; j < p.num_blocks() * kKeyBlock; ++j) {
        float sum = 0.0F;
        double exact = 0.0;
        double magnitude = 0.0;
        for (std::size_t d = 0; d < p.head_dim; ++d) {
          const float query = p.queries[q * p.query_stride + d];
          const float key = stored_value(
              p, p.keys[j / kKeyBlock * p.block_stride + d * kKeyBlock + j % kKeyBlock]);
          sum = std::fma(query, key, sum);
          const double term = static_cast<double>(query) * static_cast<double>(key);
          exact += term;
          magnitude += std::fabs(term);
        }
        const float score = out[q * p.out_stride + j];
        ASSERT_EQ(score, sum * 0.3F);
        ASSERT_NEAR(static_cast<double>(score), exact * static_cast<double>(0.3F),
                    magnitude * 0x1p-20);
      }
      for (std::size_t j = p.num_blocks() * kKeyBlock; j < p.out_stride && q + 1 < p.num_queries;
           ++j)
        ASSERT_EQ(out[q * p.out_stride + j], kUntouched) << "gap between queries";
    }
  }
}

TEST(Attention, ValuesAreAddedInOrderOfPosition) {
  Draws draws(83);
  for (const KvType type : kTypes) {
    const Problem p = make_problem(draws, type, 6, 41, 39, false);
    const Floats out = values(*all_kernels().front(), p);
    for (std::size_t q = 0; q < p.num_queries; ++q) {
      for (std::size_t d = 0; d < p.head_dim; ++d) {
        float sum = p.mixed[q * p.query_stride + d];
        double exact = static_cast<double>(sum);
        double magnitude = std::fabs(exact);
        for (std::size_t j = 0; j < p.positions; ++j) {
          const float weight = p.weights[q * p.out_stride + j];
          const float value = stored_value(p, p.values[j * p.row_stride + d]);
          sum = std::fma(weight, value, sum);
          const double term = static_cast<double>(weight) * static_cast<double>(value);
          exact += term;
          magnitude += std::fabs(term);
        }
        ASSERT_EQ(out[q * p.query_stride + d], sum);
        ASSERT_NEAR(static_cast<double>(sum), exact, magnitude * 0x1p-20);
      }
      for (std::size_t d = p.head_dim; d < p.query_stride && q + 1 < p.num_queries; ++d)
        ASSERT_TRUE(same_bits(out[q * p.query_stride + d], p.mixed[q * p.query_stride + d]))
            << "gap between queries";
    }
  }
}

// Adding positions in two calls is the same as in one: what a partly filled block relies on.
TEST(Attention, ValuesMayBeAddedInParts) {
  Draws draws(84);
  for_each_supported_table([&](const KernelTable& table) {
    for (const KvType type : kTypes) {
      const Problem p = make_problem(draws, type, 5, 48, 45, false);
      const Floats together = values(table, p);
      for (const std::size_t split : {1U, 16U, 29U}) {
        Problem first = p;
        first.positions = split;
        Problem second = p;
        second.positions = p.positions - split;
        second.weights.erase(second.weights.begin(),
                             second.weights.begin() + static_cast<std::ptrdiff_t>(split));
        second.values.erase(
            second.values.begin(),
            second.values.begin() + static_cast<std::ptrdiff_t>(split * p.row_stride));
        second.mixed = values(table, first);
        expect_same_bits(values(table, second), together, p.text());
      }
    }
  });
}

// Scores of filled positions do not see what lies in the rest of their block.
TEST(Attention, APartlyFilledBlockGivesTheScoresOfItsPositions) {
  Draws draws(85);
  for_each_supported_table([&](const KernelTable& table) {
    for (const KvType type : kTypes) {
      const Problem p = make_problem(draws, type, 9, 32, 21, false);
      const Floats out = scores(table, p, 1.0F);
      Problem other = p;
      for (std::size_t d = 0; d < p.head_dim; ++d)
        for (std::size_t j = p.positions % kKeyBlock; j < kKeyBlock; ++j)
          other.keys[p.block_stride + d * kKeyBlock + j] = std::numeric_limits<float>::quiet_NaN();
      const Floats changed = scores(table, other, 1.0F);
      for (std::size_t q = 0; q < p.num_queries; ++q)
        for (std::size_t j = 0; j < p.positions; ++j)
          ASSERT_TRUE(same_bits(changed[q * p.out_stride + j], out[q * p.out_stride + j]));
    }
  });
}

}  // namespace
}  // namespace bankai::kernels
