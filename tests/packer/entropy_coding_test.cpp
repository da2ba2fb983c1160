// The parts below the codecs: bit streams, frequency tables, coded symbols, fixed layouts of trits,
// and the tables of the models.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "core/counter_rng.h"
#include "packer/bit_stream.h"
#include "packer/context_model.h"
#include "packer/frequency_table.h"
#include "packer/residual_table.h"
#include "packer/scale_prediction.h"
#include "packer/symbol_coder.h"
#include "packer/trit_packing.h"

namespace bankai::packer {
namespace {

TEST(BitStream, NumbersOfAllSizesComeBack) {
  BitWriter writer;
  for (unsigned bits = 0; bits <= 32; ++bits)
    writer.write(static_cast<std::uint32_t>((std::uint64_t{1} << bits) - 1), bits);
  for (unsigned k = 0; k < 16; ++k)
    for (const std::uint32_t value : {0U, 1U, 2U, 100U, 65535U, 1U << 30U})
      writer.write_golomb(value, k);
  for (const std::int64_t value : {0, -1, 1, -1000, 1000}) writer.write_signed_golomb(value, 3);
  const std::vector<std::byte> bytes = std::move(writer).finish();
  BitReader reader(bytes);
  for (unsigned bits = 0; bits <= 32; ++bits)
    EXPECT_EQ(reader.read(bits).value(), (std::uint64_t{1} << bits) - 1);
  for (unsigned k = 0; k < 16; ++k)
    for (const std::uint32_t value : {0U, 1U, 2U, 100U, 65535U, 1U << 30U})
      EXPECT_EQ(reader.read_golomb(k).value(), value);
  for (const std::int64_t value : {0, -1, 1, -1000, 1000})
    EXPECT_EQ(reader.read_signed_golomb(3, -1000, 1000).value(), value);
  EXPECT_TRUE(reader.rest().value().empty());
}

TEST(BitStream, EndsAndFillAreChecked) {
  const std::array<std::byte, 1> ones = {std::byte{0xff}};
  BitReader reader(ones);
  EXPECT_TRUE(reader.read(5).ok());
  EXPECT_FALSE(reader.rest().ok());
  EXPECT_FALSE(reader.read(4).ok());
  EXPECT_FALSE(BitReader(ones).read_golomb(0).ok());
  const std::array<std::byte, 8> many = {std::byte{0xff}, std::byte{0xff}, std::byte{0xff},
                                         std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};
  EXPECT_FALSE(BitReader(many).read_golomb(0).ok());
  EXPECT_FALSE(BitReader(many).read_signed_golomb(15, -3, 3).ok());
}

TEST(FrequencyTable, FrequenciesAddUpAndNoneThatOccursIsLost) {
  const CounterRng rng(1);
  for (std::uint64_t round = 0; round < 300; ++round) {
    std::vector<std::uint64_t> counts(1 + rng.below(2 * round, 256));
    for (std::size_t i = 0; i < counts.size(); ++i)
      counts[i] = rng.bits(1000 * round + i) >> rng.below(1000 * round + 500 + i, 64) >> 25U;
    counts[0] += 1;
    for (const unsigned precision : {8U, 10U, 13U, 16U}) {
      const FrequencyTable table = FrequencyTable::from_weights(counts, precision);
      std::uint32_t sum = 0;
      for (std::size_t i = 0; i < counts.size(); ++i) {
        EXPECT_EQ(table.start(i), sum);
        EXPECT_EQ(table.frequency(i) == 0, counts[i] == 0);
        sum += table.frequency(i);
      }
      EXPECT_EQ(sum, 1U << precision);
      BitWriter writer;
      table.write(writer);
      const std::vector<std::byte> bytes = std::move(writer).finish();
      EXPECT_EQ(bytes.size(), (table.size_bits() + 7) / 8);
      BitReader reader(bytes);
      const auto read = FrequencyTable::read(reader, counts.size());
      ASSERT_TRUE(read.ok()) << read.error().message;
      EXPECT_TRUE(read->symbols_of_slots() == table.symbols_of_slots());
      EXPECT_EQ(read->num_symbols(), table.num_symbols());
      BitReader again(bytes);
      EXPECT_FALSE(FrequencyTable::read(again, counts.size() - 1).ok());
    }
  }
}

TEST(FrequencyTable, BitsOfAProbabilityAreItsLogarithm) {
  EXPECT_EQ(bits_q16(65536), 0U);
  EXPECT_EQ(bits_q16(1), 16U << 16U);
  for (std::uint32_t p = 1; p <= 65536; ++p)
    EXPECT_NEAR(bits_q16(p), -std::log2(p / 65536.0) * 65536.0, 0.51);
}

TEST(SymbolCoder, TakesItsEntropyAndComesBack) {
  const CounterRng rng(2);
  for (const std::size_t count : {0U, 1U, 2U, 7U, 500U, 16383U, 16384U, 16385U, 100003U}) {
    std::vector<std::uint8_t> symbols(count);
    std::array<std::uint64_t, 200> counts{};
    counts[3] = 1;
    for (std::size_t i = 0; i < count; ++i) {
      symbols[i] = static_cast<std::uint8_t>(rng.below(i, rng.below(count + i, 200) + 1));
      ++counts[symbols[i]];
    }
    const FrequencyTable table = FrequencyTable::from_weights(counts, 14);
    std::vector<std::byte> coded;
    const std::size_t size = encode_symbols(table, symbols, &coded);
    EXPECT_EQ(coded.size(), size);
    EXPECT_EQ(encode_symbols(table, symbols, nullptr), size);
    counts[3] -= 1;
    EXPECT_LE(static_cast<double>(coded.size()),
              static_cast<double>(table.cost(counts) >> 19U) * 1.0005 +
                  8.0 * static_cast<double>(num_symbol_lanes(count)) + 1);
    std::vector<std::uint8_t> decoded(count);
    const Status status = decode_symbols(table, coded, decoded);
    ASSERT_TRUE(status.ok()) << status.error().message;
    EXPECT_TRUE(decoded == symbols);
  }
}

TEST(TritPacking, AllBytesOfFiveTrits) {
  for (unsigned code = 0; code < 256; ++code) {
    const std::byte packed{static_cast<std::uint8_t>(code)};
    std::array<std::byte, 5> trits{};
    EXPECT_EQ(unpack_base3(5, &packed, trits.data()).ok(), code < 243);
    if (code < 243) {
      EXPECT_EQ(base3_of_trits(trits.data(), 5), code);
    }
    for (std::size_t count = 1; count <= 4; ++count) {
      const bool fits = code < std::pow(3, count);
      EXPECT_EQ(unpack_base3(count, &packed, trits.data()).ok(), fits);
      bool has_3 = false;
      for (std::size_t i = 0; i < count; ++i) has_3 |= (code >> (2 * i) & 3U) == 3;
      EXPECT_EQ(unpack_two_bit(count, &packed, trits.data()).ok(),
                !has_3 && code >> (2 * count) == 0);
    }
  }
}

TEST(TritPacking, AllBitPlanesOfThreeTrits) {
  unsigned num_valid = 0;
  for (unsigned nonzero = 0; nonzero < 16; ++nonzero)
    for (unsigned plus = 0; plus < 16; ++plus) {
      const std::array<std::byte, 2> packed = {static_cast<std::byte>(nonzero),
                                               static_cast<std::byte>(plus)};
      std::array<std::byte, 3> trits{};
      if (!unpack_bit_planes(3, packed.data(), trits.data()).ok()) continue;
      ++num_valid;
      std::array<std::byte, 2> again{};
      pack_bit_planes(3, trits.data(), again.data());
      EXPECT_EQ(again, packed);
    }
  EXPECT_EQ(num_valid, 27U);
}

// The table is rounded to nearest, and no entry is so near to a half that arithmetic could matter.
TEST(ContextModel, ProbabilitiesAreTheLogisticFunction) {
  for (int t = -kMaxLogit; t <= kMaxLogit; ++t) {
    const long double exact = 65536.0L / (1.0L + std::exp(-t / 32.0L));
    const int found = probability_table()[static_cast<std::size_t>(t + kMaxLogit)];
    if (exact > 1.0L && exact < 65534.0L) {
      EXPECT_LT(std::abs(exact - found), 0.5L - 1e-9L) << t;
    } else {
      EXPECT_EQ(found, exact <= 1.0L ? 1 : 65534) << t;
    }
  }
}

TEST(ContextModel, ComesBackFromItsBytes) {
  ContextModel model;
  model.has_row_classes = model.has_col_classes = model.has_slopes = true;
  model.step_code = 1;
  for (unsigned j = 0; j < kContexts; ++j) {
    model.offset[j] = static_cast<std::int16_t>(j % 2 == 0 ? -384 : 384);
    model.plus[j] = static_cast<std::uint8_t>(j % 3 == 0 ? 1 : 255 - j);
  }
  for (int i = 0; i < 100; ++i) model.col_classes.push_back(static_cast<std::int8_t>(i % 33 - 16));
  const std::vector<std::byte> bytes = write_model(model);
  const auto read = read_model(bytes, true, 100);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_TRUE(read->has_row_classes && read->has_col_classes && read->has_slopes);
  EXPECT_EQ(read->step_code, 1U);
  EXPECT_EQ(read->offset, model.offset);
  EXPECT_EQ(read->plus, model.plus);
  EXPECT_EQ(read->col_classes, model.col_classes);
  EXPECT_FALSE(read_model(bytes, true, 99).ok());
  EXPECT_FALSE(read_model(bytes, true, 0).ok());
}

TEST(ScalePrediction, OrderFollowsValueAndComesBack) {
  std::int32_t last = -40000;
  for (std::uint32_t magnitude = 0x8000; magnitude-- > 0;) {
    const auto bits = static_cast<std::uint16_t>(0x8000U | magnitude);
    EXPECT_EQ(scale_of_ordered(ordered_scale(bits)), bits);
    EXPECT_GT(ordered_scale(bits), last);
    last = ordered_scale(bits);
  }
  for (std::uint32_t magnitude = 0; magnitude < 0x8000; ++magnitude) {
    const auto bits = static_cast<std::uint16_t>(magnitude);
    EXPECT_EQ(scale_of_ordered(ordered_scale(bits)), bits);
    EXPECT_EQ(ordered_scale(bits), last + 1);
    last = ordered_scale(bits);
  }
}

TEST(ScalePrediction, FindsALinearRule) {
  // Every scale is its left neighbour plus 5, rows start 300 above the one before.
  std::vector<std::int32_t> scales;
  for (int row = 0; row < 40; ++row)
    for (int col = 0; col < 6; ++col) scales.push_back(4000 + 300 * row + 5 * col);
  const auto predictors = fit_scale_predictors(scales, 6);
  ScaleNeighbours neighbours(6);
  for (std::size_t i = 0; i < scales.size(); ++i) {
    if (i >= 12) {
      EXPECT_NEAR(predict_scale(predictors[scale_kind(i % 6)], neighbours.features()), scales[i],
                  i % 6 == 0 ? 80 : 40)
          << i;
    }
    neighbours.advance(scales[i]);
  }
}

TEST(ResidualTable, BellsAreUnimodalAndWiderOnesFlatter) {
  std::uint32_t last_top = 1U << 14U;
  for (unsigned width = 0; width < 64; ++width)
    for (unsigned escape = 0; escape < 4; ++escape) {
      const FrequencyTable table = bell_table({width, escape});
      for (std::size_t i = 0; i < kResidualSymbols; ++i) EXPECT_GT(table.frequency(i), 0U);
      for (std::size_t i = 127; i + 1 < 255; ++i)
        EXPECT_GE(table.frequency(i), table.frequency(i + 1));
      if (escape == 0) {
        EXPECT_LE(table.frequency(127), last_top);
        last_top = table.frequency(127);
      }
    }
}

}  // namespace
}  // namespace bankai::packer
