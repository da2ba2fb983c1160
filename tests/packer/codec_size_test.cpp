// What codecs achieve: the order-0 bound on independent digits, less where there is structure, and
// no more than the content where there is none.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "model/gguf_file.h"
#include "packer/codec_table.h"
#include "packer/entropy.h"
#include "packer/payload.h"
#include "tests/packer/packer_data.h"
#include "tests/support/temp_dir.h"

namespace bankai::packer {
namespace {

double trit_entropy_bytes(const TestContent& test) {
  std::array<std::uint64_t, 3> counts{};
  for (const std::byte trit : test.logical)
    ++counts[(std::to_integer<std::size_t>(trit) + 1) % 256];
  return entropy_bits(counts) / 8.0;
}

std::uint64_t size_by(const char* codec, const TestContent& test) {
  return encoded_size(*find_codec(codec), ContentSource(test.content, test.logical), 2).value();
}

TEST(CodecSize, IndependentTritsTakeTheirEntropy) {
  for (int tenths = 1; tenths <= 9; ++tenths) {
    const TestContent test = independent_trits(1000, 1000, tenths / 10.0, 7);
    const double bound = 1.003 * trit_entropy_bytes(test) + 64.0;
    EXPECT_LE(static_cast<double>(size_by("trits.order0", test)), bound) << tenths;
    EXPECT_LE(static_cast<double>(size_by("trits.context", test)), bound) << tenths;
  }
}

TEST(CodecSize, ContextsFindRowsAndColumns) {
  const TestContent test = structured_trits(1024, 1024, 0.4, 1);
  const double order0 = trit_entropy_bytes(test);
  EXPECT_LT(static_cast<double>(size_by("trits.context", test)), 0.95 * order0);
}

TEST(CodecSize, ContextsFindGroupsOfZeros) {
  // What becomes of a 1-bit matrix in absmean ternarisation over the whole tensor.
  TestContent test = independent_trits(512, 1024, 0.0, 1);
  for (std::size_t i = 0; i < test.logical.size(); ++i)
    if ((i / 128) % 3 == 0) test.logical[i] = std::byte{0};
  const double signs = 512.0 * 1024.0 * 2 / 3 / 8;
  EXPECT_LT(static_cast<double>(size_by("trits.context", test)), 1.03 * signs);
}

TEST(CodecSize, ContextsFindRowsThatFollowColumns) {
  const TestContent test = sloped_bits(512, 512, 1);
  EXPECT_LT(size_by("bits.context", test), test.logical.size() * 17 / 20);
}

TEST(CodecSize, LearningFindsRowsAndColumnsThatAreAlike) {
  for (const auto& [rows, cols] : {std::pair<std::size_t, std::size_t>{600, 200}, {200, 600}}) {
    const TestContent bits = correlated_bits(rows, cols, 1);
    EXPECT_LT(size_by("bits.learned", bits), bits.logical.size() * 3 / 4);
    EXPECT_GT(size_by("bits.context", bits), bits.logical.size() * 9 / 10);
    const TestContent trits = correlated_trits(rows, cols, 1);
    EXPECT_LT(size_by("trits.learned", trits), size_by("trits.context", trits) * 9 / 10);
    const ContentSource source(bits.content, bits.logical);
    EXPECT_EQ(choose_codec(source, {}).value().codec->name(), "bits.learned");
    EXPECT_EQ(choose_codec(source, {.min_decode_rate = 100}).value().codec->name(), "bits.context");
  }
}

TEST(CodecSize, LearningFindsRowsAndColumnsOfTrits) {
  const TestContent test = structured_trits(512, 512, 0.4, 1);
  EXPECT_LT(size_by("trits.learned", test), size_by("trits.context", test) * 101 / 100);
}

TEST(CodecSize, ContextsAreNotTriedWhereLearningSaves) {
  const TestContent bits = correlated_bits(1024, 640, 1);
  const CodecChoice choice = choose_codec(ContentSource(bits.content, bits.logical), {}).value();
  EXPECT_EQ(choice.codec->name(), "bits.learned");
  for (const CodecSize& size : choice.sizes)
    if (size.codec->name() == "bits.context") {
      EXPECT_FALSE(size.is_measured);
    }
}

TEST(CodecSize, WhatCannotBeLearnedIsNotTried) {
  // Beyond what is small enough to be tried without asking.
  const TestContent bits = random_bits(1024, 1024, 3);
  const TestContent trits = structured_trits(512, 512, 0.4, 1);
  for (const auto* test : {&bits, &trits}) {
    const ContentSource source(test->content, test->logical);
    const CodecChoice choice = choose_codec(source, {}).value();
    for (const CodecSize& size : choice.sizes)
      if (size.codec->name().ends_with(".learned")) {
        EXPECT_FALSE(size.is_measured) << test->name;
      }
  }
}

TEST(CodecSize, NoiseIsStoredAsItIs) {
  const TestContent test = random_bits(512, 1024, 1);
  const CodecChoice choice = choose_codec(ContentSource(test.content, test.logical), {}).value();
  EXPECT_EQ(choice.codec->name(), "bits.raw");
  EXPECT_EQ(choice.bytes, test.logical.size());
  EXPECT_LE(size_by("bits.context", test), test.logical.size() + 128);
}

TEST(CodecSize, FloatsTakeNoMoreThanTheirExponents) {
  const TestContent test = plausible_floats(512, 512, 1);
  EXPECT_LT(size_by("bytes.planes", test), test.logical.size() * 86 / 100);
}

TEST(CodecSize, TrainedScalesTakeAtMostSevenTenths) {
  const auto path = testing::reference_data_path("demo/bankai-demo-5m.gguf");
  if (path.empty()) GTEST_SKIP() << "no reference data";
  const auto file = model::GgufFile::open(path);
  ASSERT_TRUE(file.ok());
  std::uint64_t raw = 0;
  std::uint64_t coded = 0;
  for (const model::GgufTensor& tensor : file->tensors()) {
    if (tensor.type != kernels::TensorType::kQ1_0) continue;
    constexpr std::size_t kBlockBytes = 18;
    std::vector<std::byte> scales(tensor.data.size() / kBlockBytes * 2);
    for (std::size_t i = 0; i < scales.size() / 2; ++i)
      std::memcpy(scales.data() + 2 * i, tensor.data.data() + kBlockBytes * i, 2);
    const Content content =
        make_content(ContentKind::kScales, tensor.rows(), tensor.cols() / 128, 2).value();
    raw += scales.size();
    coded += choose_codec(ContentSource(content, scales), {}).value().bytes;
  }
  EXPECT_EQ(raw, 81920U);
  EXPECT_LE(coded, raw * 7 / 10);
}

}  // namespace
}  // namespace bankai::packer
