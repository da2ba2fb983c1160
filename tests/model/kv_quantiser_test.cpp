#include "model/kv_quantiser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/half.h"
#include "model/kv_rotation.h"
#include "tests/model/forward_checks.h"
#include "tests/model/kv_reference.h"
#include "tests/model/kv_vectors.h"

namespace bankai::model {
namespace {

constexpr std::size_t kSizes[] = {1, 3, 32, 40, 64, 80, 96, 128};

struct Quantised {
  std::vector<std::uint8_t> codes;
  KvMetadata metadata;
};

Quantised quantise(const kernels::KernelTable& table, const KvFormat& format,
                   const std::vector<float>& x) {
  Quantised result{std::vector<std::uint8_t>(x.size()), {}};
  result.metadata = quantise_vector(table, format, x.data(), x.size(), result.codes.data());
  return result;
}

TEST(KvReference, HalvesAreThoseOfTheHardware) {
  const std::vector<float> x = normal_vector(2000, 5);
  for (const float size : {1.0F, 1000.0F, 1e-4F, 1e-7F})
    for (const float v : x)
      ASSERT_EQ(reference_half(static_cast<double>(v * size)),
                static_cast<double>(kernels::f16_to_float(kernels::float_to_f16(v * size))));
}

TEST(KvQuantiser, Kv1IsThePublishedOne) {
  for (const KvStorage storage : kPackedStorages) {
    for (const std::size_t n : kSizes) {
      for (const NamedVector& vector : trying_vectors(n)) {
        SCOPED_TRACE(vector.name + ", " + kv_format_text(storage) + ", " + std::to_string(n));
        const Quantised found = quantise(best_kernels(), storage, vector.x);
        const ReferenceKv expected = reference_kv1(published_mode(storage), vector.x);
        ASSERT_EQ(std::vector<int>(found.codes.begin(), found.codes.end()), expected.codes);
        ASSERT_EQ(static_cast<double>(kernels::f16_to_float(found.metadata.scale)), expected.scale);
        ASSERT_EQ(static_cast<double>(kernels::f16_to_float(found.metadata.minimum)),
                  expected.minimum);
      }
    }
  }
}

double squared_error(const Quantised& quantised, const std::vector<float>& x) {
  const float scale = kernels::f16_to_float(quantised.metadata.scale);
  const float minimum = kernels::f16_to_float(quantised.metadata.minimum);
  double sum = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float element = static_cast<float>(quantised.codes[i]) * scale + minimum;
    const double error = static_cast<double>(element - x[i]);
    sum += error * error;
  }
  return sum;
}

TEST(KvQuantiser, TheFittedRangeErrsLess) {
  for (const KvStorage storage : {KvStorage::kBits8, KvStorage::kBits4, KvStorage::kBits2}) {
    double full = 0.0;
    double fitted = 0.0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      const std::vector<float> x = normal_vector(128, seed);
      full += squared_error(quantise(best_kernels(), storage, x), x);
      fitted += squared_error(quantise(best_kernels(), {storage, KvQuantiser::kRotated}, x), x);
    }
    EXPECT_LT(fitted, full * (storage == KvStorage::kBits2 ? 0.65 : 1.0))
        << kv_format_text(storage);
  }
}

double element(const Quantised& quantised, std::size_t i) {
  return static_cast<double>(quantised.codes[i]) *
             static_cast<double>(kernels::f16_to_float(quantised.metadata.scale)) +
         static_cast<double>(kernels::f16_to_float(quantised.metadata.minimum));
}

// The elements that signs and numbered scales stand for.
std::vector<double> signed_elements(const KvFormat& format, const Quantised& quantised) {
  const std::size_t num_codes = kv_scale_codes(format, quantised.codes.size());
  std::size_t number = 0;
  for (std::size_t i = num_codes; i-- > 0;) number = 2 * number + quantised.codes[i];
  const float scale = num_codes > 0 ? kv_coded_scale(number, num_codes)
                                    : kernels::f16_to_float(quantised.metadata.scale);
  std::vector<double> elements(quantised.codes.size(), 0.0);
  for (std::size_t i = num_codes; i < elements.size(); ++i)
    elements[i] = static_cast<double>(quantised.codes[i] != 0 ? scale : -scale);
  return elements;
}

// A query that is the vector itself finds the vector's length, not less of it.
TEST(KvQuantiser, RotatedElementsAreNotShorter) {
  for (const KvStorage storage : kPackedStorages) {
    const KvFormat format(storage, KvQuantiser::kRotated);
    const bool is_affine = storage != KvStorage::kSigns && storage != KvStorage::kBits1;
    // Levels of scales are an eighth of an octave apart with 64 elements, a half octave with 20.
    for (const std::size_t n : {64U, 20U}) {
      for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        const std::vector<float> x = normal_vector(n, seed);
        const Quantised quantised = quantise(best_kernels(), format, x);
        const std::vector<double> y = signed_elements(format, quantised);
        double squares = 0.0;
        double product = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
          const auto v = static_cast<double>(x[i]);
          squares += v * v;
          product += v * (is_affine ? element(quantised, i) : y[i]);
        }
        const double step = n == 64 ? 1.0 / 16 : 1.0 / 4;  // half a level, in octaves
        const double most = storage == KvStorage::kBits1 ? std::exp2(step) - 1.0 : 2e-3;
        EXPECT_NEAR(product / squares, 1.0, most + 1e-6) << kv_format_text(format) << ", " << n;
      }
    }
  }
}

TEST(KvQuantiser, NumberedScalesAscendAndBrokenVectorsShow) {
  const KvFormat format(KvStorage::kBits1, KvQuantiser::kRotated);
  for (const std::size_t n : {8U, 16U, 28U, 32U, 128U}) {
    const std::size_t num_codes = kv_scale_codes(format, n);
    ASSERT_EQ(num_codes, std::min<std::size_t>(7, n / 4));
    const std::size_t last = (std::size_t{1} << num_codes) - 1;
    EXPECT_EQ(kv_coded_scale(0, num_codes), 0.0F);
    for (std::size_t i = 1; i < last; ++i)
      EXPECT_GT(kv_coded_scale(i, num_codes), kv_coded_scale(i - 1, num_codes));
    EXPECT_TRUE(std::isnan(kv_coded_scale(last, num_codes)));
    std::vector<float> x = normal_vector(n, 4);
    x[n - 1] = std::numeric_limits<float>::infinity();
    EXPECT_TRUE(std::isnan(signed_elements(format, quantise(best_kernels(), format, x))[n - 1]));
    const std::vector<float> zero(n, 0.0F);
    EXPECT_EQ(signed_elements(format, quantise(best_kernels(), format, zero)),
              std::vector<double>(n, 0.0));
  }
  EXPECT_EQ(kv_scale_codes(format, 7), 0U);
  EXPECT_EQ(kv_scale_codes(KvStorage::kBits1, 64), 0U);
  EXPECT_EQ(kv_coded_scale(81, 7), 1.0F);
}

// Nothing to fit: elements that are all the same, or hardly differ.
TEST(KvQuantiser, FittedVectorsComeBackWhateverTheyAre) {
  for (const KvStorage storage : {KvStorage::kBits8, KvStorage::kBits4, KvStorage::kBits2})
    for (const std::size_t n : kSizes)
      for (const NamedVector& vector : trying_vectors(n)) {
        const Quantised quantised =
            quantise(best_kernels(), {storage, KvQuantiser::kRotated}, vector.x);
        double squares = 0.0;
        for (const float v : vector.x) squares += static_cast<double>(v) * static_cast<double>(v);
        // Half precision alone costs 2^-11 of the mean; the codes no more than the whole.
        ASSERT_LE(squared_error(quantised, vector.x),
                  squares * 1.001 + 4e-10 * static_cast<double>(n))
            << vector.name << ", " << n << ", " << kv_format_text(storage);
      }
}

TEST(KvQuantiser, GivesTheSameBytesForEveryTable) {
  for (const KvStorage storage : kPackedStorages)
    for (const KvQuantiser quantiser : {KvQuantiser::kKv1, KvQuantiser::kRotated})
      for (const std::size_t n : {40U, 64U, 128U})
        for (const NamedVector& vector : trying_vectors(n)) {
          const Quantised expected =
              quantise(*kernels::all_kernels().front(), {storage, quantiser}, vector.x);
          for (const kernels::KernelTable* table : runnable_kernels()) {
            const Quantised found = quantise(*table, {storage, quantiser}, vector.x);
            ASSERT_EQ(found.codes, expected.codes) << table->name << ", " << vector.name;
            ASSERT_EQ(found.metadata, expected.metadata) << table->name << ", " << vector.name;
          }
        }
}

TEST(KvQuantiser, BrokenVectorsShow) {
  for (const float broken :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    for (const KvQuantiser quantiser : {KvQuantiser::kKv1, KvQuantiser::kRotated}) {
      for (const KvStorage storage : {KvStorage::kBits8, KvStorage::kBits2, KvStorage::kSigns}) {
        std::vector<float> x = normal_vector(32, 1);
        x[7] = broken;
        const Quantised quantised = quantise(best_kernels(), {storage, quantiser}, x);
        EXPECT_FALSE(std::isfinite(kernels::f16_to_float(quantised.metadata.scale)));
      }
    }
  }
}

TEST(KvRotation, KeepsProductsAndComesBack) {
  for (const std::size_t n : kSizes) {
    std::vector<float> a = normal_vector(n, 11);
    std::vector<float> b = normal_vector(n, 12);
    const std::vector<float> before = a;
    const auto dot = [&] {
      double sum = 0.0;
      for (std::size_t i = 0; i < n; ++i)
        sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
      return sum;
    };
    const double expected = dot();
    rotate_vector(a.data(), n);
    rotate_vector(b.data(), n);
    EXPECT_NEAR(dot(), expected, 1e-5 * static_cast<double>(n));
    rotate_back(a.data(), n);
    for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(a[i], before[i], 1e-5);
  }
}

TEST(KvRotation, SpreadsAnOutlierEvenly) {
  std::vector<float> x(64, 0.0F);
  x[17] = 8.0F;
  rotate_vector(x.data(), x.size());
  for (const float v : x) EXPECT_EQ(std::fabs(v), 1.0F);
}

// Keys and queries are as large as each other afterwards, and no product has changed.
TEST(KvRotation, BalancedNormsKeepTheProducts) {
  for (const bool neighbours : {false, true}) {
    RopeParameters rope;
    rope.dimensions = 6;
    rope.neighbours = neighbours;
    const std::vector<float> query = {1.0F, 0.1F, 0.0F, 3.0F, 0.1F, 5.0F, 1.5F, -2.0F};
    const std::vector<float> key = {1.0F, 12.0F, 2.0F, -40.0F, 20.0F, 0.0F, 1.0F, 0.01F};
    const QueryKeyNorms norms = balance_norms(query, key, rope);
    for (std::size_t c = 0; c < query.size(); ++c) {
      EXPECT_EQ(norms.query[c] * norms.key[c], query[c] * key[c]);
      if (key[c] == 0.0F) continue;
      const std::size_t partner = c >= 6 ? c : neighbours ? c ^ 1U : (c + 3) % 6;
      const float factor = norms.key[c] / key[c];
      EXPECT_EQ(norms.key[partner], factor * key[partner]);
      int exponent = 0;
      EXPECT_EQ(std::frexp(factor, &exponent), 0.5F);
      const auto length = [&](const std::vector<float>& norm) {
        return std::hypot(norm[c], norm[partner]);
      };
      if (length(query) == 0.0F) continue;
      EXPECT_LE(length(norms.key), 2.001F * length(norms.query)) << c;
      EXPECT_LE(length(norms.query), 2.001F * length(norms.key)) << c;
    }
  }
}

}  // namespace
}  // namespace bankai::model
