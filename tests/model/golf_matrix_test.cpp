#include "model/golf_matrix.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "core/counter_rng.h"
#include "kernels/dispatch.h"

namespace bankai::model {
namespace {

enum class Kind { kTrits, kGroups, kSigns, kHalves, kFloats };

GolfWeights make_weights(Kind kind, std::size_t rows, std::size_t cols, std::size_t group) {
  const CounterRng rng(rows * 1000 + cols);
  GolfWeights weights;
  weights.rows = rows;
  weights.cols = cols;
  weights.scale = 0.75;
  for (std::size_t i = 0; i < rows * cols; ++i) {
    const auto trit = static_cast<std::int8_t>(rng.below(i, 3));
    if (kind == Kind::kHalves)
      weights.numbers.push_back(0x1p-9F * static_cast<float>(trit * 5 - 4));
    if (kind == Kind::kFloats) weights.numbers.push_back(static_cast<float>(rng.uniform(i)) - 0.5F);
    if (kind == Kind::kSigns) weights.trits.push_back(trit == 0 ? std::int8_t{-1} : std::int8_t{1});
    if (kind == Kind::kTrits || kind == Kind::kGroups)
      weights.trits.push_back(static_cast<std::int8_t>(trit - 1));
  }
  if (kind != Kind::kGroups) return weights;
  weights.group = group;
  for (std::size_t i = 0; i < rows * weights.groups(); ++i)
    weights.group_scales.push_back(static_cast<float>(rng.uniform(9000000 + i)));
  return weights;
}

// An element, with all its scales.
double weight(const GolfWeights& of, std::size_t row, std::size_t col) {
  if (of.trits.empty()) return of.scale * static_cast<double>(of.numbers[row * of.cols + col]);
  const double trit = of.trits[row * of.cols + col];
  if (of.group_scales.empty()) return of.scale * trit;
  return of.scale * trit * static_cast<double>(of.group_scales[row * of.groups() + col / of.group]);
}

std::vector<double> product(const kernels::KernelTable& table, const GolfMatrix& matrix,
                            const std::vector<float>& x, std::size_t tokens,
                            const std::vector<double>& factors) {
  std::vector<double> out(tokens * matrix.rows(), std::nan(""));
  std::vector<float> sums;
  for (std::size_t panel = 0; panel < matrix.panels(); ++panel)
    matrix.multiply(table, panel, x.data(), factors.data(), tokens, sums, out.data());
  return out;
}

// Every kind and size against double precision, and every table against the scalar one.
TEST(GolfMatrix, ProductsAreThoseOfTheWeights) {
  constexpr std::size_t kTokens = 7;
  for (const Kind kind : {Kind::kTrits, Kind::kGroups, Kind::kSigns, Kind::kHalves, Kind::kFloats})
    for (const auto& [rows, cols, group] : std::vector<std::array<std::size_t, 3>>{{1, 1, 1},
                                                                                   {16, 128, 128},
                                                                                   {130, 300, 16},
                                                                                   {37, 200, 192},
                                                                                   {24, 260, 1000},
                                                                                   {3, 700, 200},
                                                                                   {5, 384, 256}}) {
      const GolfWeights weights = make_weights(kind, rows, cols, group);
      const GolfMatrix matrix(weights);
      const CounterRng rng(3);
      std::vector<float> x(kTokens * cols);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(rng.uniform(i)) - 0.5F;
      const std::vector<double> factors = {1.0, 2.0, 0.5, -1.0, 3.0, 0.125, 0.0};
      const auto found = product(*kernels::all_kernels().front(), matrix, x, kTokens, factors);
      const std::string name = std::to_string(static_cast<int>(kind)) + ": " +
                               std::to_string(rows) + " by " + std::to_string(cols);
      for (std::size_t t = 0; t < kTokens; ++t)
        for (std::size_t r = 0; r < rows; ++r) {
          double sum = 0.0;
          for (std::size_t c = 0; c < cols; ++c)
            sum += weight(weights, r, c) * static_cast<double>(x[t * cols + c]);
          EXPECT_NEAR(found[t * rows + r], factors[t] * sum, 1e-5) << name;
        }
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < cols; ++c)
          ASSERT_EQ(matrix.value(r, c), weight(weights, r, c)) << name;
      for (const kernels::KernelTable* table : kernels::all_kernels())
        if (kernels::is_supported(*table)) {
          EXPECT_EQ(product(*table, matrix, x, kTokens, factors), found) << table->name << name;
        }
    }
}

TEST(GolfMatrix, WholeNumbersAreExact) {
  const GolfWeights weights = make_weights(Kind::kTrits, 40, 3000, 0);
  const GolfMatrix matrix(weights);
  std::vector<float> x(3000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 256) - 128.0F;
  const auto found = product(*kernels::all_kernels().front(), matrix, x, 1, {1.0});
  for (std::size_t r = 0; r < 40; ++r) {
    double sum = 0.0;
    for (std::size_t c = 0; c < x.size(); ++c)
      sum += static_cast<double>(weights.trits[r * 3000 + c]) * static_cast<double>(x[c]);
    EXPECT_EQ(found[r], 0.75 * sum);
  }
}

// 2^24 + 1 has no float: 129 columns in one sum would lose the 1.
TEST(GolfMatrix, RunsOfAGroupEndAfter128Columns) {
  for (const std::size_t group : {0U, 200U, 256U}) {
    GolfWeights weights;
    weights.rows = 1;
    weights.cols = 200;
    weights.trits.assign(200, 1);
    weights.group = group;
    if (group != 0) weights.group_scales.assign(1, 1.0F);
    std::vector<float> x(200, 0.0F);
    x[0] = 0x1p24F;
    x[128] = 1.0F;
    const auto found = product(*kernels::all_kernels().front(), GolfMatrix(weights), x, 1, {1.0});
    EXPECT_EQ(found[0], 0x1p24 + 1.0) << group;
  }
}

TEST(GolfMatrix, TakesWhatItsNumbersNeed) {
  const auto bytes = [](Kind kind) {
    return GolfMatrix(make_weights(kind, 256, 256, 128)).bytes();
  };
  EXPECT_EQ(bytes(Kind::kSigns), 256U * 256 / 8);
  EXPECT_EQ(bytes(Kind::kTrits), 256U * 256 / 4);
  EXPECT_EQ(bytes(Kind::kGroups), 256U * 256 / 4 + 256 * 2 * 4);
  EXPECT_EQ(bytes(Kind::kHalves), 256U * 256 * 2);
  EXPECT_EQ(bytes(Kind::kFloats), 256U * 256 * 4);
  EXPECT_EQ(GolfMatrix().bytes(), 0U);
  // A scale takes what it needs, however few the rows are.
  EXPECT_EQ(GolfMatrix(make_weights(Kind::kGroups, 1, 256, 1)).bytes(), 256U * 16 / 4 + 256 * 4);
  EXPECT_EQ(GolfMatrix::padding(1, 256), 256U * 15);
  EXPECT_EQ(GolfMatrix::padding(32, 256), 0U);
}

TEST(GolfMatrix, SlicesAreRows) {
  for (const Kind kind : {Kind::kGroups, Kind::kFloats}) {
    const GolfWeights whole = make_weights(kind, 20, 70, 16);
    const GolfWeights part = whole.slice(7, 5);
    ASSERT_EQ(part.rows, 5U);
    for (std::size_t r = 0; r < 5; ++r)
      for (std::size_t c = 0; c < 70; ++c) EXPECT_EQ(weight(part, r, c), weight(whole, 7 + r, c));
  }
}

}  // namespace
}  // namespace bankai::model
