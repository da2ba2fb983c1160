#include "tests/support/reference_weights.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace bankai::testing {
namespace {

using kernels::TensorType;

std::uint16_t u16_at(const std::byte* bytes) {
  std::uint16_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// IEEE half precision by its definition: sign, 5 bits of exponent, 10 of fraction.
double half_value(std::uint16_t half) {
  const double sign = (half & 0x8000U) != 0 ? -1.0 : 1.0;
  const int exponent = (half >> 10U) & 31;
  const int fraction = half & 1023;
  if (exponent == 31)
    return fraction != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

// Two bits of a byte, counted from the lowest, as a weight: 0 is −1.
int two_bit_weight(std::byte byte, std::size_t pair) {
  return static_cast<int>((static_cast<unsigned>(byte) >> (2 * pair)) & 3U) - 1;
}

// The n-th base-3 digit behind the point of byte / 256, as a weight.
int base3_weight(std::byte byte, std::size_t n) {
  unsigned power = 1;
  for (std::size_t i = 0; i < n; ++i) power *= 3;
  return static_cast<int>((static_cast<unsigned>(byte) * power % 256 * 3) >> 8U) - 1;
}

// Weight j of a TQ1_0 block without its scale.
int tq1_0_weight(const std::byte* block, std::size_t j) {
  if (j < 160) return base3_weight(block[j % 32], j / 32);
  if (j < 240) return base3_weight(block[32 + j % 16], (j - 160) / 16);
  return base3_weight(block[48 + j % 4], (j - 240) / 4);
}

// Weight i of a row of consecutive blocks. I2_S is without the scale of its tensor.
double weight_value(TensorType type, const std::byte* row, std::size_t i) {
  switch (type) {
    case TensorType::kF32: {
      float value = 0.0F;
      std::memcpy(&value, row + 4 * i, sizeof value);
      return static_cast<double>(value);
    }
    case TensorType::kF16: return half_value(u16_at(row + 2 * i));
    case TensorType::kBF16: {
      const std::uint32_t bits = static_cast<std::uint32_t>(u16_at(row + 2 * i)) << 16U;
      float value = 0.0F;
      std::memcpy(&value, &bits, sizeof value);
      return static_cast<double>(value);
    }
    case TensorType::kQ8_0: {
      const std::byte* block = row + i / 32 * 34;
      return half_value(u16_at(block)) * static_cast<std::int8_t>(block[2 + i % 32]);
    }
    case TensorType::kQ1_0: {
      const std::byte* block = row + i / 128 * 18;
      const auto byte = static_cast<unsigned>(block[2 + i % 128 / 8]);
      return ((byte >> (i % 8)) & 1U) != 0 ? half_value(u16_at(block)) : -half_value(u16_at(block));
    }
    case TensorType::kQ2_0: {
      const std::byte* block = row + i / 64 * 18;
      return half_value(u16_at(block)) * two_bit_weight(block[2 + i % 64 / 4], i % 4);
    }
    case TensorType::kPQ2_0: {
      const std::byte* block = row + i / 128 * 34;
      return half_value(u16_at(block)) * two_bit_weight(block[2 + i % 128 / 4], i % 4);
    }
    case TensorType::kTQ2_0: {
      const std::byte* block = row + i / 256 * 66;
      const std::size_t j = i % 128;
      return half_value(u16_at(block + 64)) *
             two_bit_weight(block[i % 256 / 128 * 32 + j % 32], j / 32);
    }
    case TensorType::kTQ1_0: {
      const std::byte* block = row + i / 256 * 54;
      return half_value(u16_at(block + 52)) * tq1_0_weight(block, i % 256);
    }
    case TensorType::kI2_S: {
      const std::size_t j = i % 128;
      return two_bit_weight(row[i / 128 * 32 + j % 32], 3 - j / 32);
    }
  }
  throw std::runtime_error("a tensor type that the reference does not know");
}

// Behind the codes of an I2_S tensor: its scale and filler.
std::size_t trailer_bytes(const model::GgufTensor& tensor) {
  return tensor.type == TensorType::kI2_S ? 32 : 0;
}

}  // namespace

const model::GgufTensor& reference_tensor(const model::GgufFile& file, const std::string& name) {
  const model::GgufTensor* tensor = file.find_tensor(name);
  if (tensor == nullptr) throw std::runtime_error("no tensor " + name);
  return *tensor;
}

std::vector<float> reference_weights(const model::GgufTensor& tensor) {
  const std::size_t row_bytes = (tensor.data.size() - trailer_bytes(tensor)) / tensor.rows();
  std::vector<float> weights(tensor.rows() * tensor.cols());
  for (std::size_t row = 0; row < tensor.rows(); ++row)
    for (std::size_t col = 0; col < tensor.cols(); ++col)
      weights[row * tensor.cols() + col] =
          static_cast<float>(weight_value(tensor.type, tensor.data.data() + row * row_bytes, col));
  return weights;
}

std::vector<double> reference_vector(const model::GgufFile& file, const std::string& name) {
  const std::vector<float> weights = reference_weights(reference_tensor(file, name));
  return {weights.begin(), weights.end()};
}

double reference_scale(const model::GgufFile& file, const std::string& name) {
  const model::GgufTensor& tensor = reference_tensor(file, name + ".weight");
  double scale = 1.0;
  if (const std::size_t trailer = trailer_bytes(tensor); trailer > 0) {
    float value = 0.0F;
    std::memcpy(&value, tensor.data.data() + tensor.data.size() - trailer, sizeof value);
    scale = static_cast<double>(value);
  }
  if (file.find_tensor(name + ".scale") != nullptr)
    scale *= reference_vector(file, name + ".scale")[0];
  return scale;
}

}  // namespace bankai::testing
