#include "model/kv_cache.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/half.h"
#include "tests/model/forward_checks.h"

namespace bankai::model {
namespace {

constexpr std::size_t kDim = 40;

// Numbers that half precision holds exactly.
std::vector<float> row(float start) {
  std::vector<float> values;
  for (std::size_t i = 0; i < kDim; ++i)
    values.push_back(start + 0.25F * static_cast<float>(i % 7));
  return values;
}

TEST(KvRows, ReadsWhatWasWritten) {
  const kernels::KernelTable& table = best_kernels();
  for (const KvType type : {KvType::kF16, KvType::kF32}) {
    KvRows rows(type, kDim);
    rows.resize(3);
    for (const std::size_t i : {2U, 0U, 1U}) {
      const float start = static_cast<float>(i);
      rows.write(table, i, row(start).data(), row(-start).data());
    }
    const std::vector<float> query = row(1.0F);
    for (std::size_t i = 0; i < 3; ++i) {
      const std::vector<float> key = row(static_cast<float>(i));
      float dot = 0.0F;  // exact: small multiples of 1/16
      for (std::size_t j = 8; j < 24; ++j) dot += query[j - 8] * key[j];
      EXPECT_EQ(rows.dot_key(table, i, 8, query.data(), 16), dot);
      std::vector<float> sum(16, 1.0F);
      rows.add_value(table, i, 24, 2.0F, sum.data(), 16);
      for (std::size_t j = 0; j < 16; ++j)
        EXPECT_EQ(sum[j], 1.0F + 2.0F * row(-static_cast<float>(i))[24 + j]);
    }
  }
}

TEST(KvRows, GrowingKeepsWhatIsThere) {
  const kernels::KernelTable& table = best_kernels();
  for (const KvType type : {KvType::kF16, KvType::kF32}) {
    KvRows rows(type, kDim);
    rows.resize(1);
    rows.write(table, 0, row(3.0F).data(), row(1.0F).data());
    const float before = rows.dot_key(table, 0, 0, row(1.0F).data(), kDim);
    rows.resize(1000);
    EXPECT_EQ(rows.dot_key(table, 0, 0, row(1.0F).data(), kDim), before);
  }
}

TEST(KvRows, HalfPrecisionRoundsToTheNearest) {
  const kernels::KernelTable& table = best_kernels();
  KvRows rows(KvType::kF16, kDim);
  rows.resize(1);
  const std::vector<float> value(kDim, 0.1F);
  rows.write(table, 0, value.data(), value.data());
  const std::vector<float> one = {1.0F};
  EXPECT_EQ(rows.dot_key(table, 0, 5, one.data(), 1),
            kernels::f16_to_float(kernels::float_to_f16(0.1F)));
}

TEST(KvCache, HasARowPerPositionInEveryLayer) {
  Hyperparameters parameters;
  parameters.num_layers = 3;
  parameters.num_kv_heads = 2;
  parameters.head_dim = kDim / 2;
  KvCache cache(parameters, KvType::kF32);
  EXPECT_EQ(cache.positions(), 0U);
  cache.set_positions(5);
  EXPECT_EQ(cache.positions(), 5U);
  const kernels::KernelTable& table = best_kernels();
  for (std::size_t layer = 0; layer < 3; ++layer) {
    const float start = static_cast<float>(layer);
    cache.layer(layer).write(table, 4, row(start).data(), row(start).data());
  }
  cache.set_positions(9);
  const std::vector<float> one = {1.0F};
  for (std::size_t layer = 0; layer < 3; ++layer)
    EXPECT_EQ(cache.layer(layer).dot_key(table, 4, 0, one.data(), 1), static_cast<float>(layer));
  cache.set_positions(2);
  EXPECT_EQ(cache.positions(), 2U);
}

}  // namespace
}  // namespace bankai::model
