#include "model/kv_cache.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/half.h"
#include "tests/model/forward_checks.h"

namespace bankai::model {
namespace {

constexpr std::size_t kDim = 40;
constexpr std::size_t kHeads = 2;

// Numbers that half precision holds exactly.
std::vector<float> row(float start) {
  std::vector<float> values;
  for (std::size_t i = 0; i < kDim; ++i)
    values.push_back(start + 0.25F * static_cast<float>(i % 7));
  return values;
}

// query · key of one position of a head.
float dot_key(const KvRows& rows, std::size_t position, std::size_t head,
              const std::vector<float>& query) {
  float scores[kernels::kKeyBlock];
  const std::size_t block = position / kernels::kKeyBlock * kernels::kKeyBlock;
  rows.score(best_kernels(), head, block, position - block + 1, query.data(), 1, 1.0F, scores,
             kernels::kKeyBlock);
  return scores[position - block];
}

TEST(KvRows, ReadsWhatWasWritten) {
  constexpr std::size_t kPositions = 37;
  const kernels::KernelTable& table = best_kernels();
  const std::vector<float> query = row(1.0F);
  for (const KvType type : {KvType::kF16, KvType::kF32}) {
    KvRows rows(type, kHeads, kDim);
    rows.resize(kPositions);
    for (std::size_t n = 0; n < kPositions; ++n) {
      const std::size_t i = n * 5 % kPositions;  // in any order
      for (std::size_t head = 0; head < kHeads; ++head) {
        const auto start = static_cast<float>(i + head);
        rows.write(table, head, i, row(start).data(), row(-start).data());
      }
    }
    for (std::size_t i = 0; i < kPositions; ++i) {
      for (std::size_t head = 0; head < kHeads; ++head) {
        const auto start = static_cast<float>(i + head);
        float dot = 0.0F;  // exact: small multiples of 1/16
        for (std::size_t d = 0; d < kDim; ++d) dot += query[d] * row(start)[d];
        EXPECT_EQ(dot_key(rows, i, head, query), dot);
        std::vector<float> sum(kDim, 1.0F);
        const float weight = 2.0F;
        rows.mix(table, head, i, 1, &weight, 1, 1, sum.data());
        for (std::size_t d = 0; d < kDim; ++d) EXPECT_EQ(sum[d], 1.0F + 2.0F * row(-start)[d]);
      }
    }
  }
}

TEST(KvRows, SeveralQueriesAndPositionsAtOnce) {
  constexpr std::size_t kPositions = 21;
  constexpr std::size_t kFirst = 16;
  constexpr std::size_t kQueries = 3;
  const kernels::KernelTable& table = best_kernels();
  KvRows rows(KvType::kF32, 1, kDim);
  rows.resize(kPositions);
  for (std::size_t i = 0; i < kPositions; ++i)
    rows.write(table, 0, i, row(static_cast<float>(i)).data(), row(static_cast<float>(i)).data());
  std::vector<float> queries(kQueries * kDim);
  for (std::size_t i = 0; i < queries.size(); ++i) queries[i] = static_cast<float>(i % 5);
  std::vector<float> scores(kQueries * 16);
  rows.score(table, 0, kFirst, kPositions - kFirst, queries.data(), kQueries, 0.5F, scores.data(),
             16);
  for (std::size_t q = 0; q < kQueries; ++q) {
    const std::vector<float> query(queries.begin() + static_cast<std::ptrdiff_t>(q * kDim),
                                   queries.begin() + static_cast<std::ptrdiff_t>((q + 1) * kDim));
    for (std::size_t j = 0; j < kPositions - kFirst; ++j)
      EXPECT_EQ(scores[q * 16 + j], 0.5F * dot_key(rows, kFirst + j, 0, query));
  }
  std::vector<float> mixed(kQueries * kDim, 0.0F);
  rows.mix(table, 0, kFirst, 2, scores.data(), 16, kQueries, mixed.data());
  for (std::size_t q = 0; q < kQueries; ++q)
    for (std::size_t d = 0; d < kDim; ++d)
      EXPECT_FLOAT_EQ(mixed[q * kDim + d],
                      scores[q * 16] * row(16.0F)[d] + scores[q * 16 + 1] * row(17.0F)[d]);
}

TEST(KvRows, GrowingKeepsWhatIsThere) {
  const kernels::KernelTable& table = best_kernels();
  for (const KvType type : {KvType::kF16, KvType::kF32}) {
    KvRows rows(type, kHeads, kDim);
    rows.resize(1);
    rows.write(table, 1, 0, row(3.0F).data(), row(1.0F).data());
    const float before = dot_key(rows, 0, 1, row(1.0F));
    rows.resize(1000);
    EXPECT_EQ(dot_key(rows, 0, 1, row(1.0F)), before);
  }
}

TEST(KvRows, HalfPrecisionRoundsToTheNearest) {
  const kernels::KernelTable& table = best_kernels();
  KvRows rows(KvType::kF16, 1, 1);
  rows.resize(1);
  const float value = 0.1F;
  rows.write(table, 0, 0, &value, &value);
  EXPECT_EQ(dot_key(rows, 0, 0, {1.0F}), kernels::f16_to_float(kernels::float_to_f16(0.1F)));
}

TEST(KvCache, HasARowPerPositionInEveryLayer) {
  Hyperparameters parameters;
  parameters.num_layers = 3;
  parameters.num_kv_heads = kHeads;
  parameters.head_dim = kDim;
  KvCache cache(parameters, KvType::kF32);
  EXPECT_EQ(cache.positions(), 0U);
  cache.set_positions(5);
  EXPECT_EQ(cache.positions(), 5U);
  const kernels::KernelTable& table = best_kernels();
  const std::vector<float> query = row(1.0F);
  std::vector<float> before;
  for (std::size_t layer = 0; layer < 3; ++layer) {
    const auto start = static_cast<float>(layer);
    cache.layer(layer).write(table, 1, 4, row(start).data(), row(start).data());
    before.push_back(dot_key(cache.layer(layer), 4, 1, query));
  }
  EXPECT_NE(before[0], before[1]);
  cache.set_positions(9);
  for (std::size_t layer = 0; layer < 3; ++layer)
    EXPECT_EQ(dot_key(cache.layer(layer), 4, 1, query), before[layer]);
  cache.set_positions(2);
  EXPECT_EQ(cache.positions(), 2U);
}

}  // namespace
}  // namespace bankai::model
