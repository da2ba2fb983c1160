#include "model/kv_packed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/half.h"
#include "model/kv_cache.h"
#include "tests/model/forward_checks.h"
#include "tests/model/kv_reference.h"
#include "tests/model/kv_vectors.h"

namespace bankai::model {
namespace {

constexpr std::size_t kDim = 64;

// Key and value of a position of a test.
std::vector<float> key_of(std::size_t position) { return normal_vector(kDim, 100 + position); }
std::vector<float> value_of(std::size_t position) { return normal_vector(kDim, 900 + position); }

PackedKvHead filled(const KvFormat& format, std::size_t positions) {
  PackedKvHead head(format, kDim);
  head.resize(positions);
  for (std::size_t n = 0; n < positions; ++n) {
    const std::size_t i = n * 7 % positions;  // in any order
    head.write(best_kernels(), i, key_of(i).data(), value_of(i).data());
  }
  return head;
}

TEST(KvFormat, BytesPerVectorAreThePublishedOnes) {
  struct Row {
    std::size_t head_dim, bits2, bits1, signs;
  };
  for (const Row& row : {Row{32, 12, 4, 6}, Row{64, 20, 8, 10}, Row{80, 24, 10, 12},
                         Row{96, 28, 12, 14}, Row{128, 36, 16, 18}}) {
    const auto expect = [&](KvStorage storage, std::size_t bytes) {
      EXPECT_EQ(kv_key_bytes(storage, row.head_dim), bytes) << row.head_dim;
      EXPECT_EQ(kv_value_bytes(storage, row.head_dim), bytes) << row.head_dim;
    };
    expect(KvStorage::kF32, 4 * row.head_dim);
    expect(KvStorage::kF16, 2 * row.head_dim);
    expect(KvStorage::kBits8, row.head_dim + 4);
    expect(KvStorage::kBits4, row.head_dim / 2 + 4);
    expect(KvStorage::kBits2, row.bits2);
    expect(KvStorage::kSigns, row.signs);
    expect(KvStorage::kBits1, row.bits1);
  }
}

// KV1 itself: 8 layers, 2 heads of 32, 384 bytes instead of 2,048.
TEST(KvCache, TakesTheMemoryThatItSays) {
  Hyperparameters parameters;
  parameters.num_layers = 8;
  parameters.num_kv_heads = 2;
  parameters.head_dim = 32;
  EXPECT_EQ(kv_bytes_per_position(parameters, KvStorage::kBits2), 384U);
  EXPECT_EQ(kv_bytes_per_position(parameters, KvStorage::kF16), 2048U);
  for (const KvStorageInfo& info : kv_storages()) {
    KvCache cache(parameters, info.storage);
    cache.set_positions(32);  // whole blocks
    std::size_t bytes = 0;
    for (std::size_t layer = 0; layer < 8; ++layer) bytes += cache.layer(layer).bytes();
    EXPECT_EQ(bytes, 32 * kv_bytes_per_position(parameters, info.storage)) << info.name;
  }
}

TEST(PackedKvHead, KeepsTheCodesOfThePublishedQuantiserInItsOrder) {
  constexpr std::size_t kPositions = 37;
  for (const KvStorage storage : kPackedStorages) {
    const PackedKvHead head = filled(storage, kPositions);
    const int mode = published_mode(storage);
    const std::size_t bits = kv_storage_info(storage).bits;
    for (std::size_t i = 0; i < kPositions; ++i) {
      for (const bool is_key : {true, false}) {
        const ReferenceKv expected = reference_kv1(mode, is_key ? key_of(i) : value_of(i));
        const PackedKvVector found = is_key ? head.key(i) : head.value(i);
        ASSERT_EQ(found.codes.size(), kDim * bits / 8);
        const std::size_t per_byte = 8 / bits;
        for (std::size_t b = 0; b < found.codes.size(); ++b) {
          int byte = 0;
          for (std::size_t k = per_byte; k-- > 0;)
            byte = (byte << bits) + expected.codes[b * per_byte + k];
          ASSERT_EQ(found.codes[b], byte) << mode << ", position " << i;
        }
        ASSERT_EQ(static_cast<double>(kernels::f16_to_float(found.metadata.scale)), expected.scale);
        ASSERT_EQ(static_cast<double>(kernels::f16_to_float(found.metadata.minimum)),
                  expected.minimum);
      }
    }
  }
}

// What attention reads is what a cache of the dequantised floats would give, bit for bit.
TEST(PackedKvHead, ReadsAsTheDequantisedFloats) {
  constexpr std::size_t kPositions = 53;
  constexpr std::size_t kQueries = 5;
  constexpr std::size_t kStride = 64;
  const std::vector<float> queries = normal_vector(kQueries * kDim, 3);
  const std::vector<float> weights = normal_vector(kQueries * kStride, 4);
  for (const KvStorage storage : kPackedStorages) {
    const PackedKvHead head = filled(storage, kPositions);
    KvRows floats(KvStorage::kF32, 1, kDim);
    floats.resize(kPositions);
    const int mode = published_mode(storage);
    for (std::size_t i = 0; i < kPositions; ++i)
      floats.write(best_kernels(), 0, i, reference_kv1(mode, key_of(i)).elements.data(),
                   reference_kv1(mode, value_of(i)).elements.data());
    for (const kernels::KernelTable* table : runnable_kernels()) {
      for (const std::size_t first : {0U, 16U}) {
        const std::size_t count = kPositions - first;
        std::vector<float> found(kQueries * kStride), expected(kQueries * kStride);
        head.score(*table, first, count, queries.data(), kQueries, 0.125F, found.data(), kStride);
        floats.score(*table, 0, first, count, queries.data(), kQueries, 0.125F, expected.data(),
                     kStride);
        for (std::size_t q = 0; q < kQueries; ++q)
          for (std::size_t j = 0; j < count; ++j)
            ASSERT_EQ(found[q * kStride + j], expected[q * kStride + j]) << table->name;
      }
      std::vector<float> found(kQueries * kDim, 0.25F), expected(kQueries * kDim, 0.25F);
      head.mix(*table, 5, kPositions - 5, weights.data(), kStride, kQueries, found.data());
      floats.mix(*table, 0, 5, kPositions - 5, weights.data(), kStride, kQueries, expected.data());
      ASSERT_EQ(found, expected) << table->name;
    }
  }
}

// One bit with the scale among the codes: a query that has zeros there meets ±scale elsewhere.
TEST(PackedKvHead, ReadsScalesOutOfTheCodes) {
  constexpr std::size_t kPositions = 37;
  constexpr std::size_t kStride = 48;
  const KvFormat format(KvStorage::kBits1, KvQuantiser::kRotated);
  const std::size_t num_codes = kv_scale_codes(format, kDim);
  const PackedKvHead head = filled(format, kPositions);
  KvRows floats(KvStorage::kF32, 1, kDim);
  floats.resize(kPositions);
  const auto elements = [&](const PackedKvVector& vector) {
    const auto bit = [&](std::size_t d) { return (vector.codes[d / 8] >> d % 8 & 1) != 0; };
    std::size_t number = 0;
    for (std::size_t d = num_codes; d-- > 0;) number = 2 * number + (bit(d) ? 1 : 0);
    const float scale = kv_coded_scale(number, num_codes);
    std::vector<float> x(kDim);
    for (std::size_t d = 0; d < kDim; ++d) x[d] = bit(d) ? scale : -scale;
    return x;
  };
  for (std::size_t i = 0; i < kPositions; ++i)
    floats.write(best_kernels(), 0, i, elements(head.key(i)).data(),
                 elements(head.value(i)).data());
  std::vector<float> query = normal_vector(kDim, 3);
  std::fill_n(query.begin(), num_codes, 0.0F);
  const std::vector<float> weights = normal_vector(kStride, 4);
  std::vector<float> found(kStride), expected(kStride);
  head.score(best_kernels(), 16, kPositions - 16, query.data(), 1, 0.125F, found.data(), kStride);
  floats.score(best_kernels(), 0, 16, kPositions - 16, query.data(), 1, 0.125F, expected.data(),
               kStride);
  found.resize(kPositions - 16);
  expected.resize(kPositions - 16);
  EXPECT_EQ(found, expected);
  std::vector<float> mixed(kDim), wanted(kDim);
  head.mix(best_kernels(), 5, kPositions - 5, weights.data(), kStride, 1, mixed.data());
  floats.mix(best_kernels(), 0, 5, kPositions - 5, weights.data(), kStride, 1, wanted.data());
  EXPECT_EQ(mixed, wanted);
}

void expect_same_positions(const PackedKvHead& a, const PackedKvHead& b, std::size_t from,
                           std::size_t to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_EQ(a.key(from + i), b.key(to + i)) << i;
    ASSERT_EQ(a.value(from + i), b.value(to + i)) << i;
  }
}

TEST(PackedKvHead, RestoresAndCopiesAndGrows) {
  for (const KvStorage storage : kPackedStorages) {
    for (const KvQuantiser quantiser : {KvQuantiser::kKv1, KvQuantiser::kRotated}) {
      const KvFormat format(storage, quantiser);
      const PackedKvHead head = filled(format, 45);
      PackedKvHead other(format, kDim);
      other.resize(100);
      for (std::size_t i = 0; i < 45; ++i) other.restore(48 + i, head.key(i), head.value(i));
      expect_same_positions(head, other, 0, 48, 45);
      other.copy_prefix(48, 0, 39);
      expect_same_positions(head, other, 0, 0, 39);
      other.resize(1000);
      expect_same_positions(head, other, 0, 0, 39);
    }
  }
}

TEST(PackedKvHead, WritingAgainReplaces) {
  PackedKvHead head = filled(KvStorage::kBits2, 20);
  head.write(best_kernels(), 3, key_of(50).data(), value_of(50).data());
  const PackedKvHead untouched = filled(KvStorage::kBits2, 20);
  PackedKvHead fresh(KvStorage::kBits2, kDim);
  fresh.resize(20);
  fresh.write(best_kernels(), 3, key_of(50).data(), value_of(50).data());
  expect_same_positions(head, fresh, 3, 3, 1);
  expect_same_positions(head, untouched, 0, 0, 3);
  expect_same_positions(head, untouched, 4, 4, 16);
}

}  // namespace
}  // namespace bankai::model
