#include "kernels/ternary_blocks.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/matmul.h"

namespace bankai::kernels {
namespace {

// Where the two bits of weight j of a block are, and its scale.
struct Place {
  std::size_t byte;
  unsigned shift;
};
struct TwoBitLayout {
  TensorType type;
  std::size_t scale_offset;
  Place (*place)(std::size_t j);
};

Place in_order(std::size_t j) { return {2 + j / 4, static_cast<unsigned>(2 * (j % 4))}; }
Place tq2_0(std::size_t j) {
  return {j / 128 * 32 + j % 32, static_cast<unsigned>(2 * (j % 128 / 32))};
}
Place i2_s(std::size_t j) { return {j % 32, static_cast<unsigned>(6 - 2 * (j / 32))}; }

constexpr std::array<TwoBitLayout, 4> kTwoBitLayouts = {{
    {TensorType::kQ2_0, 0, in_order},
    {TensorType::kPQ2_0, 0, in_order},
    {TensorType::kTQ2_0, 64, tq2_0},
    {TensorType::kI2_S, 32, i2_s},
}};

std::vector<std::uint8_t> decode(TensorType type, const std::vector<std::uint8_t>& block) {
  std::vector<std::uint8_t> codes(tensor_type_info(type).block_weights);
  decode_ternary_block(type, block.data(), codes.data());
  return codes;
}

TEST(TernaryBlocks, EveryTwoBitWeightIsWhereItsLayoutSays) {
  for (const TwoBitLayout& layout : kTwoBitLayouts) {
    const TensorTypeInfo& info = tensor_type_info(layout.type);
    SCOPED_TRACE(std::string(info.name));
    for (std::size_t j = 0; j < info.block_weights; ++j) {
      for (unsigned code = 0; code < 4; ++code) {
        // The one weight with another code than all others.
        const unsigned other = (code + 1) % 4;
        std::vector<std::uint8_t> block(info.block_bytes, static_cast<std::uint8_t>(other * 0x55U));
        const Place place = layout.place(j);
        block[place.byte] = static_cast<std::uint8_t>((block[place.byte] & ~(3U << place.shift)) |
                                                      (code << place.shift));
        const std::vector<std::uint8_t> codes = decode(layout.type, block);
        for (std::size_t i = 0; i < codes.size(); ++i)
          ASSERT_EQ(codes[i], i == j ? code : other) << "weight " << i << " of " << j;
      }
    }
  }
}

// The first weights of the parts of a TQ1_0 block, its bytes, and the digits in each byte.
struct Tq1Part {
  std::size_t first_weight, first_byte, num_bytes, digits;
};
constexpr std::array<Tq1Part, 3> kTq1Parts = {{{0, 0, 32, 5}, {160, 32, 16, 5}, {240, 48, 4, 4}}};

TEST(TernaryBlocks, EveryByteOfBase3DigitsGivesItsDefinition) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::vector<std::uint8_t> codes =
        decode(TensorType::kTQ1_0, std::vector<std::uint8_t>(54, static_cast<std::uint8_t>(byte)));
    for (const Tq1Part& part : kTq1Parts) {
      unsigned power = 1;
      for (std::size_t n = 0; n < part.digits; ++n, power *= 3)
        for (std::size_t m = 0; m < part.num_bytes; ++m)
          ASSERT_EQ(codes[part.first_weight + n * part.num_bytes + m], byte * power % 256 * 3 / 256)
              << "byte " << byte << ", digit " << n;
    }
  }
}

TEST(TernaryBlocks, AllNumbersOfFiveTritsComeBack) {
  for (const Tq1Part& part : kTq1Parts) {
    for (std::size_t m = 0; m < part.num_bytes; ++m) {
      for (unsigned number = 0; number < 243; ++number) {
        if (part.digits == 4 && number % 3 != 0) continue;  // a fifth digit has no weight there
        std::vector<std::uint8_t> block(54, 0);
        block[part.first_byte + m] = static_cast<std::uint8_t>((number * 256 + 242) / 243);
        const std::vector<std::uint8_t> codes = decode(TensorType::kTQ1_0, block);
        unsigned rest = number;
        for (std::size_t n = 5; n-- > 0; rest /= 3) {
          if (n >= part.digits) continue;
          ASSERT_EQ(codes[part.first_weight + n * part.num_bytes + m], rest % 3) << number;
        }
      }
    }
  }
}

TEST(TernaryBlocks, ScalesAreWhereTheLayoutSays) {
  constexpr std::array<std::pair<TensorType, std::size_t>, 4> kOffsets = {
      {{TensorType::kQ2_0, 0},
       {TensorType::kPQ2_0, 0},
       {TensorType::kTQ1_0, 52},
       {TensorType::kTQ2_0, 64}}};
  for (const auto& [type, offset] : kOffsets) {
    std::vector<std::uint8_t> block(tensor_type_info(type).block_bytes, 0xFF);
    block[offset] = 0x34;
    block[offset + 1] = 0x12;
    EXPECT_EQ(ternary_block_scale(type, block.data()), 0x1234);
  }
  const std::vector<std::uint8_t> block(32, 0xFF);
  EXPECT_EQ(ternary_block_scale(TensorType::kI2_S, block.data()), 0x3C00);  // 1
}

TEST(TernaryBlocks, AreWidenedWithTheirScale) {
  // Two blocks of Q2_0, scales 0.5 and −3: codes 0 1 2 3 in the first byte, code 1 elsewhere.
  std::vector<std::uint8_t> row(36, 0x55);
  const std::uint8_t halves[] = {0x00, 0x38, 0x00, 0xC2};
  std::memcpy(row.data(), halves, 2);
  std::memcpy(row.data() + 18, halves + 2, 2);
  row[2] = row[20] = 0xE4;
  std::vector<float> out(128);
  widen_row({TensorType::kQ2_0, row.data(), 1, 128, 36}, 0, out.data());
  const float first[] = {-0.5F, 0.0F, 0.5F, 1.0F, 0.0F};
  const float second[] = {3.0F, 0.0F, -3.0F, -6.0F, 0.0F};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(out[i], first[i]) << i;
    EXPECT_EQ(out[64 + i], second[i]) << i;
  }
}

TEST(TernaryBlocks, EncodingIsTheReverseOfDecoding) {
  for (const TensorTypeInfo& info : kTensorTypes) {
    if (!is_ternary(info.type)) continue;
    SCOPED_TRACE(std::string(info.name));
    const unsigned num_codes = info.type == TensorType::kTQ1_0 ? 3 : 4;
    for (unsigned shift = 0; shift < 64; ++shift) {
      std::vector<std::uint8_t> codes(info.block_weights);
      for (std::size_t j = 0; j < codes.size(); ++j)
        codes[j] = static_cast<std::uint8_t>((j * j + shift * j / 7 + shift) % num_codes);
      std::vector<std::uint8_t> block(info.block_bytes, 0xEE);
      encode_ternary_block(info.type, codes.data(), 0x1234, block.data());
      EXPECT_EQ(decode(info.type, block), codes);
      EXPECT_EQ(ternary_block_scale(info.type, block.data()),
                info.type == TensorType::kI2_S ? 0x3C00 : 0x1234);
    }
  }
}

TEST(TernaryBlocks, TheListSaysWhichTypesAreTernary) {
  std::string names;
  for (const TensorTypeInfo& info : kTensorTypes)
    if (is_ternary(info.type)) names.append(info.name).append(" ");
  EXPECT_EQ(names, "TQ1_0 TQ2_0 I2_S Q2_0 PQ2_0 ");
}

}  // namespace
}  // namespace bankai::kernels
