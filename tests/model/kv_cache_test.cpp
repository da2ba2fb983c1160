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

// query · key of one position, over the channels from `first` on.
float dot_key(const KvRows& rows, std::size_t position, std::size_t first,
              const std::vector<float>& query) {
  float scores[kernels::kKeyBlock];
  const std::size_t block = position / kernels::kKeyBlock * kernels::kKeyBlock;
  rows.score(best_kernels(), block, position - block + 1, first, query.data(), 1, query.size(),
             1.0F, scores, kernels::kKeyBlock);
  return scores[position - block];
}

TEST(KvRows, ReadsWhatWasWritten) {
  constexpr std::size_t kPositions = 37;
  const kernels::KernelTable& table = best_kernels();
  for (const KvType type : {KvType::kF16, KvType::kF32}) {
    KvRows rows(type, kDim);
    rows.resize(kPositions);
    for (std::size_t n = 0; n < kPositions; ++n) {
      const std::size_t i = n * 5 % kPositions;  // in any order
      const float start = static_cast<float>(i);
      rows.write(table, i, row(start).data(), row(-start).data());
    }
    std::vector<float> query = row(1.0F);
    query.resize(16);
    for (std::size_t i = 0; i < kPositions; ++i) {
      const std::vector<float> key = row(static_cast<float>(i));
      float dot = 0.0F;  // exact: small multiples of 1/16
      for (std::size_t j = 8; j < 24; ++j) dot += query[j - 8] * key[j];
      EXPECT_EQ(dot_key(rows, i, 8, query), dot);
      std::vector<float> sum(16, 1.0F);
      const float weight = 2.0F;
      rows.mix(table, i, 1, 24, &weight, 1, 1, 16, sum.data());
      for (std::size_t j = 0; j < 16; ++j)
        EXPECT_EQ(sum[j], 1.0F + 2.0F * row(-static_cast<float>(i))[24 + j]);
    }
  }
}

TEST(KvRows, SeveralQueriesAndPositionsAtOnce) {
  constexpr std::size_t kPositions = 21;
  constexpr std::size_t kFirst = 16;
  constexpr std::size_t kQueries = 3;
  const kernels::KernelTable& table = best_kernels();
  KvRows rows(KvType::kF32, kDim);
  rows.resize(kPositions);
  for (std::size_t i = 0; i < kPositions; ++i)
    rows.write(table, i, row(static_cast<float>(i)).data(), row(static_cast<float>(i)).data());
  std::vector<float> queries(kQueries * kDim);
  for (std::size_t i = 0; i < queries.size(); ++i) queries[i] = static_cast<float>(i % 5);
  std::vector<float> scores(kQueries * 16);
  rows.score(table, kFirst, kPositions - kFirst, 0, queries.data(), kQueries, kDim, 0.5F,
             scores.data(), 16);
  for (std::size_t q = 0; q < kQueries; ++q) {
    const std::vector<float> query(queries.begin() + static_cast<std::ptrdiff_t>(q * kDim),
                                   queries.begin() + static_cast<std::ptrdiff_t>((q + 1) * kDim));
    for (std::size_t j = 0; j < kPositions - kFirst; ++j)
      EXPECT_EQ(scores[q * 16 + j], 0.5F * dot_key(rows, kFirst + j, 0, query));
  }
  std::vector<float> mixed(kQueries * kDim, 0.0F);
  rows.mix(table, kFirst, 2, 0, scores.data(), 16, kQueries, kDim, mixed.data());
  for (std::size_t q = 0; q < kQueries; ++q)
    for (std::size_t d = 0; d < kDim; ++d)
      EXPECT_FLOAT_EQ(mixed[q * kDim + d],
                      scores[q * 16] * row(16.0F)[d] + scores[q * 16 + 1] * row(17.0F)[d]);
}

TEST(KvRows, GrowingKeepsWhatIsThere) {
  const kernels::KernelTable& table = best_kernels();
  for (const KvType type : {KvType::kF16, KvType::kF32}) {
    KvRows rows(type, kDim);
    rows.resize(1);
    rows.write(table, 0, row(3.0F).data(), row(1.0F).data());
    const float before = dot_key(rows, 0, 0, row(1.0F));
    rows.resize(1000);
    EXPECT_EQ(dot_key(rows, 0, 0, row(1.0F)), before);
  }
}

TEST(KvRows, HalfPrecisionRoundsToTheNearest) {
  const kernels::KernelTable& table = best_kernels();
  KvRows rows(KvType::kF16, kDim);
  rows.resize(1);
  const std::vector<float> value(kDim, 0.1F);
  rows.write(table, 0, value.data(), value.data());
  EXPECT_EQ(dot_key(rows, 0, 5, {1.0F}), kernels::f16_to_float(kernels::float_to_f16(0.1F)));
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
  for (std::size_t layer = 0; layer < 3; ++layer)
    EXPECT_EQ(dot_key(cache.layer(layer), 4, 0, {1.0F}), static_cast<float>(layer));
  cache.set_positions(2);
  EXPECT_EQ(cache.positions(), 2U);
}

}  // namespace
}  // namespace bankai::model
