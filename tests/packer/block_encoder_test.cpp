#include "packer/block_encoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "core/counter_rng.h"
#include "kernels/half.h"
#include "kernels/ternary_blocks.h"
#include "packer/block_codes.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;

constexpr ScaleScope kScopes[] = {ScaleScope::kTensor, ScaleScope::kRow, ScaleScope::kGroup};

std::vector<float> normal_weights(std::size_t count, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<float> weights(count);
  for (std::size_t i = 0; i < count; ++i) {
    double sum = -6.0;
    for (std::size_t k = 0; k < 12; ++k) sum += rng.uniform(12 * i + k);
    weights[i] = static_cast<float>(0.02 * sum);
  }
  return weights;
}

RowSource source_of(const std::vector<float>& weights, std::size_t cols) {
  return [&weights, cols](std::size_t row, float* out) {
    std::copy_n(weights.data() + row * cols, cols, out);
  };
}

std::vector<std::byte> encode(const BlockEncoding& encoding, const std::vector<float>& weights,
                              std::size_t cols, int threads = 1) {
  auto bytes =
      encode_tensor(encoding, weights.size() / cols, cols, source_of(weights, cols), threads);
  EXPECT_TRUE(bytes.ok()) << bytes.error().message;
  return bytes.ok() ? std::move(bytes).value() : std::vector<std::byte>();
}

std::vector<float> decode(TensorType type, const std::vector<std::byte>& bytes, std::size_t rows,
                          std::size_t cols) {
  const kernels::WeightRows view{type, reinterpret_cast<const std::uint8_t*>(bytes.data()), rows,
                                 cols, bytes.size() / rows};
  const RowSource source = rows_of(view);
  std::vector<float> weights(rows * cols);
  for (std::size_t row = 0; row < rows; ++row) source(row, weights.data() + row * cols);
  return weights;
}

std::vector<BlockEncoding> all_encodings() {
  std::vector<BlockEncoding> encodings;
  for (const kernels::TensorTypeInfo& type : kernels::kTensorTypes) {
    if (!can_encode(type.type)) continue;
    if (type.type == TensorType::kQ8_0)
      for (unsigned bits = 2; bits <= 8; ++bits)
        encodings.push_back({type.type, ScaleScope::kGroup, bits});
    else
      for (const ScaleScope scope : kScopes) encodings.push_back({type.type, scope});
  }
  return encodings;
}

std::string text_of(const BlockEncoding& encoding) {
  return std::string(kernels::tensor_type_info(encoding.type).name) + " scope " +
         std::to_string(static_cast<int>(encoding.scope)) + " bits " +
         std::to_string(encoding.code_bits);
}

TEST(BlockEncoder, EncodingWhatWasDecodedChangesNoWeight) {
  constexpr std::size_t kRows = 5, kCols = 768;
  const std::vector<float> weights = normal_weights(kRows * kCols, 1);
  for (const BlockEncoding& encoding : all_encodings()) {
    SCOPED_TRACE(text_of(encoding));
    const auto first = encode(encoding, weights, kCols);
    const std::vector<float> decoded = decode(encoding.type, first, kRows, kCols);
    const auto second = encode(encoding, decoded, kCols);
    EXPECT_EQ(decode(encoding.type, second, kRows, kCols), decoded);
  }
}

TEST(BlockEncoder, BytesDoNotDependOnThreadsOrPortions) {
  constexpr std::size_t kRows = 200, kCols = 256;
  const std::vector<float> weights = normal_weights(kRows * kCols, 2);
  for (const BlockEncoding& encoding : all_encodings()) {
    SCOPED_TRACE(text_of(encoding));
    const auto whole = encode(encoding, weights, kCols, 1);
    EXPECT_EQ(encode(encoding, weights, kCols, 3), whole);
    const auto encoder = BlockEncoder::make(encoding, kRows, kCols, source_of(weights, kCols), 2);
    ASSERT_TRUE(encoder.ok());
    std::vector<std::byte> part(7 * encoder->row_bytes());
    ASSERT_TRUE(encoder->encode(100, 7, part, 2).ok());
    EXPECT_EQ(std::memcmp(part.data(), whole.data() + 100 * encoder->row_bytes(), part.size()), 0);
  }
}

TEST(BlockEncoder, SignsAndMeanMagnitudesByDefinition) {
  std::vector<float> weights = normal_weights(256, 3);
  weights[0] = 0.0F;
  weights[1] = -0.0F;
  const auto bytes = encode({TensorType::kQ1_0}, weights, 256);
  ASSERT_EQ(bytes.size(), 36U);
  for (std::size_t group = 0; group < 2; ++group) {
    double sum = 0.0;
    for (std::size_t j = 0; j < 128; ++j)
      sum += static_cast<double>(std::fabs(weights[128 * group + j]));
    std::uint16_t scale;
    std::memcpy(&scale, bytes.data() + 18 * group, 2);
    EXPECT_EQ(scale, kernels::float_to_f16(static_cast<float>(sum / 128.0)));
    for (std::size_t j = 0; j < 128; ++j)
      EXPECT_EQ(std::to_integer<int>(bytes[18 * group + 2 + j / 8]) >> (j % 8) & 1,
                weights[128 * group + j] >= 0.0F ? 1 : 0);
  }
}

TEST(BlockEncoder, TernaryWeightsByDefinitionForEveryScope) {
  constexpr std::size_t kRows = 3, kCols = 512;
  std::vector<float> weights = normal_weights(kRows * kCols, 4);
  for (std::size_t i = 0; i < kCols; ++i) weights[i] *= 3.0F;
  for (const kernels::TensorTypeInfo& type : kernels::kTensorTypes) {
    if (!kernels::is_ternary(type.type) || !can_encode(type.type)) continue;
    for (const ScaleScope scope : kScopes) {
      SCOPED_TRACE(text_of({type.type, scope}));
      const auto decoded =
          decode(type.type, encode({type.type, scope}, weights, kCols), kRows, kCols);
      const std::size_t run = scope == ScaleScope::kTensor ? weights.size()
                              : scope == ScaleScope::kRow  ? kCols
                                                           : type.block_weights;
      for (std::size_t first = 0; first < weights.size(); first += run) {
        double sum = 0.0;
        for (std::size_t i = 0; i < run; ++i)
          sum += static_cast<double>(std::fabs(weights[first + i]));
        const double mean = sum / static_cast<double>(run);
        const float stored = kernels::f16_to_float(kernels::float_to_f16(static_cast<float>(mean)));
        for (std::size_t i = first; i < first + run; ++i) {
          const double trit =
              std::min(1.0, std::max(-1.0, std::nearbyint(static_cast<double>(weights[i]) / mean)));
          ASSERT_EQ(decoded[i], static_cast<float>(trit) * stored) << i;
        }
      }
    }
  }
}

// What has three values keeps them, in a type with other blocks too.
TEST(BlockEncoder, TernaryWeightsMoveBetweenTypesWithoutLoss) {
  constexpr std::size_t kCols = 512;
  const auto original = encode({TensorType::kTQ2_0}, normal_weights(2 * kCols, 5), kCols);
  const std::vector<float> weights = decode(TensorType::kTQ2_0, original, 2, kCols);
  for (const TensorType type :
       {TensorType::kQ2_0, TensorType::kPQ2_0, TensorType::kTQ1_0, TensorType::kQ8_0})
    EXPECT_EQ(decode(type, encode({type}, weights, kCols), 2, kCols).size(), weights.size());
  for (const TensorType type : {TensorType::kQ2_0, TensorType::kPQ2_0, TensorType::kTQ1_0})
    EXPECT_EQ(decode(type, encode({type}, weights, kCols), 2, kCols), weights);
  EXPECT_EQ(encode({TensorType::kTQ2_0},
                   decode(TensorType::kQ2_0, encode({TensorType::kQ2_0}, weights, kCols), 2, kCols),
                   kCols),
            original);
}

TEST(BlockEncoder, FewerBitsStayInTheirRangeAndErrOnlyALittle) {
  constexpr std::size_t kCols = 4096;
  const std::vector<float> weights = normal_weights(kCols, 6);
  double power = 0.0;
  for (const float w : weights) power += static_cast<double>(w) * static_cast<double>(w);
  double last = 1.0;
  for (unsigned bits = 2; bits <= 8; ++bits) {
    const auto bytes = encode({TensorType::kQ8_0, ScaleScope::kGroup, bits}, weights, kCols);
    const int end = 1 << (bits - 1);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (i % 34 < 2) continue;
      const int code = static_cast<std::int8_t>(std::to_integer<std::uint8_t>(bytes[i]));
      ASSERT_GE(code, -end);
      ASSERT_LT(code, end);
    }
    const std::vector<float> decoded = decode(TensorType::kQ8_0, bytes, 1, kCols);
    double error = 0.0;
    for (std::size_t i = 0; i < kCols; ++i)
      error += std::pow(static_cast<double>(decoded[i]) - static_cast<double>(weights[i]), 2.0);
    EXPECT_LT(error / power, bits == 2 ? 0.2 : last / 3.0) << bits;
    last = error / power;
  }
}

TEST(BlockEncoder, BrainFloatsRoundToEven) {
  EXPECT_EQ(float_to_bf16(1.0F), 0x3F80);
  EXPECT_EQ(float_to_bf16(-1.00390625F), 0xBF80);  // halfway, to even
  EXPECT_EQ(float_to_bf16(1.01171875F), 0x3F82);   // halfway, to even
  EXPECT_EQ(float_to_bf16(1.00390637F), 0x3F81);   // just above
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const float value = kernels::bf16_to_float(static_cast<std::uint16_t>(bits));
    if (std::isfinite(value)) {
      ASSERT_EQ(float_to_bf16(value), bits);
    }
  }
}

TEST(BlockEncoder, ZerosStayZeroInEveryType) {
  const std::vector<float> weights(256, 0.0F);
  for (const BlockEncoding& encoding : all_encodings())
    EXPECT_EQ(decode(encoding.type, encode(encoding, weights, 256), 1, 256), weights)
        << text_of(encoding);
}

TEST(BlockEncoder, RefusesWhatIsNoNumberAndSaysWhere) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF, -HUGE_VALF}) {
    std::vector<float> weights(1024, 1.0F);
    weights[512 + 77] = bad;
    for (const BlockEncoding& encoding : all_encodings()) {
      const auto result = encode_tensor(encoding, 2, 512, source_of(weights, 512), 2);
      ASSERT_FALSE(result.ok()) << text_of(encoding);
      EXPECT_EQ(result.error().code, ErrorCode::kBadInput);
      EXPECT_NE(result.error().message.find("row 1, column 77"), std::string::npos)
          << result.error().message;
    }
  }
}

TEST(BlockEncoder, RefusesWhatTheTypeCannotHold) {
  const std::vector<float> weights(256, 65520.0F);
  const RowSource source = source_of(weights, 256);
  EXPECT_FALSE(encode_tensor({TensorType::kF16}, 1, 256, source, 1).ok());
  EXPECT_TRUE(encode_tensor({TensorType::kBF16}, 1, 256, source, 1).ok());
  EXPECT_EQ(encode_tensor({TensorType::kI2_S}, 1, 256, source, 1).error().code, ErrorCode::kUsage);
  EXPECT_EQ(encode_tensor({TensorType::kTQ1_0}, 1, 128, source, 1).error().code, ErrorCode::kUsage);
  for (const unsigned bits : {0U, 1U, 9U})
    EXPECT_FALSE(
        encode_tensor({TensorType::kQ8_0, ScaleScope::kGroup, bits}, 1, 256, source, 1).ok());
  // A scale beyond the largest half becomes that.
  const auto bytes = encode({TensorType::kQ1_0}, std::vector<float>(128, 1e6F), 128);
  EXPECT_EQ(decode(TensorType::kQ1_0, bytes, 1, 128)[0], 65504.0F);
}

}  // namespace
}  // namespace bankai::packer
