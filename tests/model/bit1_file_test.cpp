#include "model/bit1_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "model/random_binary_model.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

using Bytes = std::vector<std::byte>;

constexpr BinaryShape kSmall{3, 10, 2, 5, 7, 4};

Bytes small_file() { return encode_bit1(random_binary_model(kSmall, 3)); }

template <typename T>
Bytes with_field(Bytes bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  return bytes;
}

void expect_refused(const Bytes& bytes, const std::string& part) {
  const Result<BinaryModel> model = parse_bit1(bytes, "f.bit1");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().message.find("f.bit1: "), 0U) << model.error().message;
  EXPECT_NE(model.error().message.find(part), std::string::npos) << model.error().message;
  EXPECT_EQ(model.error().message.find('\n'), std::string::npos);
}

// 40 + 16 V ceil(d/64) + 8 V + L (4 h + 4 (8 d ceil(d/64) + 4 d) + 2 (8 f ceil(d/64) + 4 f)
//    + 8 d ceil(f/64) + 4 d)
std::size_t size_by_formula(const BinaryShape& s) {
  const std::size_t d = s.width;
  const std::size_t f = s.feed_forward;
  const std::size_t dw = (d + 63) / 64;
  const std::size_t fw = (f + 63) / 64;
  return 40 + 16 * s.vocabulary * dw + 8 * s.vocabulary +
         s.num_layers * (4 * s.num_heads + 4 * (8 * d * dw + 4 * d) + 2 * (8 * f * dw + 4 * f) +
                         8 * d * fw + 4 * d);
}

TEST(Bit1File, LayoutIsTheSpecified) {
  BinaryModel model = random_binary_model({2, 70, 1, 2, 3, 9}, 4);
  model.embedding.bits = {1, 2, 3, 4};
  model.layers[0].slopes = {8, -1};
  const Bytes bytes = encode_bit1(model);
  ASSERT_EQ(bytes.size(), size_by_formula(model.shape));
  const auto byte = [&](std::size_t i) { return static_cast<int>(bytes[i]); };
  EXPECT_EQ(std::memcmp(bytes.data(),
                        "BIT1\1\0\0\0\2\0\0\0\x46\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\x09\0\0\0", 32),
            0);
  EXPECT_EQ(byte(34), 1);  // 65536
  EXPECT_EQ(byte(40), 1);
  EXPECT_EQ(byte(48), 2);
  EXPECT_EQ(byte(40 + 32), 8);  // slopes behind 2 rows of 2 words
  EXPECT_EQ(byte(40 + 32 + 4), 255);
  EXPECT_EQ(byte(40 + 32 + 8), static_cast<int>(model.layers[0].q.weights.bits[0] & 255));
  std::int32_t threshold = 0;
  std::memcpy(&threshold, bytes.data() + 40 + 32 + 8 + 70 * 16, 4);
  EXPECT_EQ(threshold, model.layers[0].q.thresholds[0]);
  std::int64_t bias = 0;
  std::memcpy(&bias, bytes.data() + bytes.size() - 8, 8);
  EXPECT_EQ(bias, model.biases[1]);
}

TEST(Bit1File, WhatIsReadIsWrittenAgain) {
  for (const BinaryShape& shape :
       {kSmall, BinaryShape{128, 128, 2, 2, 192, 16}, BinaryShape{1, 1, 1, 1, 1, 1}}) {
    const Bytes bytes = encode_bit1(random_binary_model(shape, 8));
    const Result<BinaryModel> model = parse_bit1(bytes, "f");
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_EQ(encode_bit1(*model), bytes);
    EXPECT_EQ(bytes.size(), size_by_formula(shape));
  }
}

TEST(Bit1File, FilesAreWrittenAndRead) {
  const testing::TempDir dir;
  const std::string path = dir.path("a.bit1");
  const BinaryModel model = random_binary_model(kSmall, 1);
  ASSERT_TRUE(write_bit1(model, path, Overwrite::kRefuse).ok());
  EXPECT_FALSE(write_bit1(model, path, Overwrite::kRefuse).ok());
  const Result<BinaryModel> again = read_bit1(path);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(encode_bit1(*again), encode_bit1(model));
  EXPECT_FALSE(read_bit1(dir.path("none")).ok());
}

TEST(Bit1File, EveryPrefixAndAnExtraByteAreRefused) {
  Bytes bytes = small_file();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    ASSERT_FALSE(parse_bit1(std::span(bytes).first(size), "f").ok()) << size;
  EXPECT_TRUE(is_bit1(bytes));
  EXPECT_FALSE(is_bit1(std::span(bytes).first(3)));
  bytes.push_back(std::byte{0});
  expect_refused(bytes, "asks for a file of");
}

// A changed byte gives another valid model, which is written as it was read, or is refused.
TEST(Bit1File, EveryByteChangeIsRefusedOrKept) {
  const Bytes bytes = small_file();
  std::size_t refused = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (const unsigned flip : {1U, 2U, 4U, 8U, 16U, 32U, 64U, 128U, 255U}) {
      Bytes changed = bytes;
      changed[i] ^= static_cast<std::byte>(flip);
      const Result<BinaryModel> model = parse_bit1(changed, "f");
      if (model.ok())
        ASSERT_EQ(encode_bit1(*model), changed) << i;
      else
        ++refused;
    }
  EXPECT_GT(refused, 0U);
}

TEST(Bit1File, BadFieldsAreNamed) {
  const Bytes good = small_file();
  expect_refused(with_field(good, 0, 0x31544943U), "magic at offset 0 is 0x31544943");
  expect_refused(with_field(good, 4, 2U), "version at offset 4 is 2, expected 1");
  EXPECT_EQ(parse_bit1(with_field(good, 4, 2U), "f").error().code, ErrorCode::kUnsupported);
  expect_refused(with_field(good, 8, 0U), "vocab at offset 8 is 0, expected 1 to 2147483647");
  expect_refused(with_field(good, 8, 0x80000000U), "vocab at offset 8 is 2147483648");
  expect_refused(with_field(good, 12, 0U), "d_model at offset 12 is 0, expected 1 to 16777216");
  expect_refused(with_field(good, 12, 16777217U), "d_model at offset 12 is 16777217");
  expect_refused(with_field(good, 16, 0U), "n_layers at offset 16 is 0");
  expect_refused(with_field(good, 20, 4U), "n_heads at offset 20 is 4, expected a divisor");
  expect_refused(with_field(good, 20, 11U), "n_heads at offset 20 is 11, expected 1 to 10");
  expect_refused(with_field(good, 24, 0U), "d_ff at offset 24 is 0");
  expect_refused(with_field(good, 28, 0U), "max_seq_len at offset 28 is 0");
  expect_refused(with_field(good, 32, std::int64_t{0}), "logit_scale_M at offset 32 is 0");
  expect_refused(with_field(good, 32, INT64_MAX),
                 "logit_scale_M at offset 32 is 9223372036854775807");
  expect_refused(with_field(good, 16, 3U), "asks for a file of");
  expect_refused(with_field(with_field(good, 16, 0xFFFFFFFFU), 12, 16777215U),
                 "asks for more than 2^64 bytes");
}

TEST(Bit1File, UnusedBitsAndHugeBiasesAreNamed) {
  const Bytes good = small_file();
  expect_refused(with_field(good, 48, std::uint64_t{1} << 10U),
                 "embedding: row 1, last word at offset 48 is 0x400, expected zeros in the bits "
                 "beyond column 10");
  const std::size_t up = 40 + 24 + 20 + 4 * (80 + 40) + 56 + 28;  // of layer 0
  expect_refused(with_field(good, up, ~std::uint64_t{0}),
                 "layer 0: up: row 0, last word at offset " + std::to_string(up));
  expect_refused(with_field(good, good.size() - 8, INT64_MIN),
                 "int_out_bias[2] at offset " + std::to_string(good.size() - 8));
}

}  // namespace
}  // namespace bankai::model
