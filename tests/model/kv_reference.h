// The published quantiser of keys and values a second time, from its description alone: plain loops
// over single precision, half precision by scaling doubles. Shares no code with model/ and
// kernels/.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace bankai::model {

struct ReferenceKv {
  std::vector<int> codes;
  double scale = 0.0;  // as half precision holds them
  double minimum = 0.0;
  std::vector<float> elements;  // what is read back
};

// The nearest number of half precision, to even; finite results only.
inline double reference_half(double x) {
  if (x == 0.0) return 0.0;
  int exponent = 0;
  std::frexp(x, &exponent);  // |x| in [2^(e-1), 2^e)
  const int unit = std::max(exponent - 11, -24);
  return std::ldexp(std::nearbyint(std::ldexp(x, -unit)), unit);
}

// `mode` as published: 8, 4 or 2 bits, 15 for signs with a scale, 1.
inline ReferenceKv reference_kv1(int mode, const std::vector<float>& x) {
  ReferenceKv result;
  if (mode == 1) {
    for (const float v : x) {
      result.codes.push_back(v >= 0.0F ? 1 : 0);
      result.elements.push_back(v >= 0.0F ? 1.0F : 0.0F);
    }
    return result;
  }
  if (mode == 15) {
    double sum = 0.0;
    for (const float v : x) sum += std::fabs(static_cast<double>(v));
    const auto mean = static_cast<float>(sum / static_cast<double>(x.size()));
    result.scale = reference_half(static_cast<double>(std::max(mean, 1e-6F)));
    for (const float v : x) {
      result.codes.push_back(v >= 0.0F ? 1 : 0);
      result.elements.push_back(static_cast<float>(v >= 0.0F ? result.scale : -result.scale));
    }
    return result;
  }
  float least = x[0];
  float largest = x[0];
  for (const float v : x) {
    if (v < least) least = v;
    if (v > largest) largest = v;
  }
  const int most = (1 << mode) - 1;
  const float scale = std::max((largest - least) / static_cast<float>(most), 1e-6F);
  result.scale = reference_half(static_cast<double>(scale));
  result.minimum = reference_half(static_cast<double>(least));
  for (const float v : x) {
    const float steps = std::nearbyint((v - least) / scale);
    const int code = std::clamp(static_cast<int>(steps), 0, most);
    result.codes.push_back(code);
    const auto product = static_cast<float>(code) * static_cast<float>(result.scale);
    result.elements.push_back(product + static_cast<float>(result.minimum));
  }
  return result;
}

}  // namespace bankai::model
