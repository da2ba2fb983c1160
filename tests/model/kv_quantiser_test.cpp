#include "model/kv_quantiser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/half.h"
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
    EXPECT_LT(fitted, full * (storage == KvStorage::kBits2 ? 0.55 : 1.0))
        << kv_format_text(storage);
  }
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
                  squares * 1.001 + 1e-10 * static_cast<double>(n))
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

}  // namespace
}  // namespace bankai::model
