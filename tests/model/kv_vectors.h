// Vectors that try a quantiser.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "core/counter_rng.h"
#include "model/kv_format.h"

namespace bankai::model {

struct NamedVector {
  std::string name;
  std::vector<float> x;
};

// Twelve uniform numbers make a nearly normal one.
inline std::vector<float> normal_vector(std::size_t n, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    double sum = -6.0;
    for (std::size_t k = 0; k < 12; ++k) sum += rng.uniform(12 * i + k);
    x[i] = static_cast<float>(sum);
  }
  return x;
}

inline std::vector<NamedVector> trying_vectors(std::size_t n) {
  std::vector<NamedVector> vectors;
  for (std::uint64_t seed = 1; seed <= 40; ++seed)
    vectors.push_back({"random", normal_vector(n, seed)});
  vectors.push_back({"zero", std::vector<float>(n, 0.0F)});
  for (const float value : {1.0F, -3.3F, 1e-5F, -60000.0F})
    vectors.push_back({"constant", std::vector<float>(n, value)});
  for (const float range : {1e-3F, 2e-6F, 1e-7F, 1e-30F, 1e-42F}) {
    std::vector<float> x = normal_vector(n, 77);
    for (float& v : x) v = 0.5F + v * range;
    vectors.push_back({"tiny range", x});
    for (float& v : x) v -= 0.5F;
    vectors.push_back({"tiny", x});
  }
  for (const float outlier : {20.0F, -300.0F, 5000.0F}) {
    std::vector<float> x = normal_vector(n, 78);
    x[n / 3] = outlier;
    vectors.push_back({"outlier", x});
  }
  std::vector<float> halves(n);  // many codes exactly between two
  for (std::size_t i = 0; i < n; ++i) halves[i] = static_cast<float>(i % 7) * 0.5F;
  vectors.push_back({"ties", halves});
  std::vector<float> zeros(n, 0.0F);
  zeros[0] = -0.0F;
  vectors.push_back({"negative zero", zeros});
  return vectors;
}

inline const KvStorage kPackedStorages[] = {KvStorage::kBits8, KvStorage::kBits4, KvStorage::kBits2,
                                            KvStorage::kSigns, KvStorage::kBits1};

// As kv_reference.h counts them.
inline int published_mode(KvStorage storage) {
  if (storage == KvStorage::kSigns) return 15;
  return static_cast<int>(kv_storage_info(storage).bits);
}

}  // namespace bankai::model
