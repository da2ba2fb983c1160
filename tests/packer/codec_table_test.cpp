// Laws that hold for every codec of the table, over contents of every kind and of many shapes.
#include "packer/codec_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "packer/entropy.h"
#include "packer/payload.h"
#include "tests/packer/packer_data.h"

namespace bankai::packer {
namespace {

// Calls check(codec, content) for every codec and test content of the shape that it takes.
template <typename Check>
void for_each_pair(std::size_t rows, std::size_t cols, const Check& check) {
  for (const TestContent& test : contents_of_shape(rows, cols))
    for (const Codec* codec : all_codecs()) {
      if (!codec->accepts(test.content)) continue;
      SCOPED_TRACE(std::string(codec->name()) + ", " + test.name + ", " + std::to_string(rows) +
                   " x " + std::to_string(cols));
      check(*codec, test);
    }
}

void expect_round_trip(const Codec& codec, const TestContent& test) {
  const ContentSource source(test.content, test.logical);
  const auto payload = encode(codec, source);
  ASSERT_TRUE(payload.ok()) << payload.error().message;
  EXPECT_EQ(encoded_size(codec, source).value(), payload->size());
  const auto reader = PayloadReader::open(codec, test.content, *payload);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  std::vector<std::byte> decoded(test.logical.size(), std::byte{0x5a});
  const Status status = reader->decode(decoded);
  ASSERT_TRUE(status.ok()) << status.error().message;
  EXPECT_TRUE(decoded == test.logical);
}

TEST(CodecTable, NamesAndIdsAreUniqueAndFound) {
  std::set<std::string_view> names;
  int last_id = 0;
  for (const Codec* codec : all_codecs()) {
    EXPECT_TRUE(names.insert(codec->name()).second) << codec->name();
    EXPECT_GT(codec->id(), last_id);
    last_id = codec->id();
    EXPECT_FALSE(codec->summary().empty());
    EXPECT_EQ(find_codec(codec->id()), codec);
    EXPECT_EQ(find_codec(codec->name()), codec);
  }
  EXPECT_EQ(find_codec(std::uint8_t{0}), nullptr);
  EXPECT_EQ(find_codec("trits"), nullptr);
}

TEST(CodecTable, EveryContentIsTakenByACodecThatNeverExpandsIt) {
  for (const TestContent& test : contents_of_shape(5, 77)) {
    bool is_taken_plainly = test.content.kind == ContentKind::kTrits;
    for (const Codec* codec : all_codecs())
      if (codec->accepts(test.content))
        is_taken_plainly |=
            encoded_size(*codec, ContentSource(test.content, test.logical)).value() ==
            test.logical.size();
    EXPECT_TRUE(is_taken_plainly) << test.name;
  }
}

TEST(CodecTable, RoundTripsOfAllShapes) {
  for (const auto& [rows, cols] : {std::pair<std::size_t, std::size_t>{1, 1},
                                   {1, 2},
                                   {1, 7},
                                   {3, 1},
                                   {1, 8},
                                   {2, 5},
                                   {7, 9},
                                   {1, 127},
                                   {2, 128},
                                   {3, 129},
                                   {16, 256},
                                   {9, 300},
                                   {131, 67}})
    for_each_pair(rows, cols, expect_round_trip);
}

TEST(CodecTable, NothingTakesNothing) {
  for_each_pair(0, 5, [](const Codec& codec, const TestContent& test) {
    EXPECT_EQ(encode(codec, ContentSource(test.content, test.logical)).value().size(), 0U);
    expect_round_trip(codec, test);
    const std::byte extra{0};
    EXPECT_FALSE(PayloadReader::open(codec, test.content, {&extra, 1}).ok());
  });
}

// Several blocks, lanes of unequal numbers of rows, and threads: the same bytes, the same content.
TEST(CodecTable, BlocksAreIndependentOfEachOtherAndOfThreads) {
  const std::vector<TestContent> contents = {
      structured_trits(1100, 1031, 0.4, 1), sloped_bits(1100, 1031, 2),
      plausible_scales(1100, 1031, 3),      independent_trits(1, 1100000, 0.5, 5),
      random_bits(1, 1100001, 6),           independent_trits(1100000, 1, 0.5, 8),
  };
  for (const TestContent& test : contents)
    for (const Codec* codec : all_codecs()) {
      if (!codec->accepts(test.content) || codec->encode_limit_bytes() < (1U << 24U)) continue;
      SCOPED_TRACE(std::string(codec->name()) + ", " + test.name);
      const ContentSource source(test.content, test.logical);
      const std::vector<std::byte> payload = encode(*codec, source, 1).value();
      EXPECT_TRUE(encode(*codec, source, 3).value() == payload);
      const ContentSource by_block(test.content, [&](const Block& block, std::span<std::byte> to) {
        const auto from = static_cast<std::ptrdiff_t>(test.content.bytes_of(block.first_element));
        std::copy_n(test.logical.begin() + from, to.size(), to.begin());
      });
      EXPECT_EQ(encoded_size(*codec, by_block, 2).value(), payload.size());
      const auto reader = PayloadReader::open(*codec, test.content, payload);
      ASSERT_TRUE(reader.ok()) << reader.error().message;
      EXPECT_GT(reader->num_blocks(), 1U);
      std::vector<std::byte> decoded(test.logical.size());
      ASSERT_TRUE(reader->decode(decoded, 2).ok());
      EXPECT_TRUE(decoded == test.logical);
      const Block last = reader->block(reader->num_blocks() - 1);
      std::vector<std::byte> one(static_cast<std::size_t>(test.content.bytes_of(last.elements())));
      ASSERT_TRUE(reader->decode_block(reader->num_blocks() - 1, one).ok());
      EXPECT_TRUE(std::equal(one.rbegin(), one.rend(), test.logical.rbegin()));
    }
}

TEST(CodecTable, InvalidContentIsRefusedByPlace) {
  TestContent test = independent_trits(3, 4, 0.5, 1);
  test.logical[7] = std::byte{2};
  const auto trits = encode(*find_codec("trits.base3"), ContentSource(test.content, test.logical));
  ASSERT_FALSE(trits.ok());
  EXPECT_EQ(trits.error().message, "element 7 is 2, which is no trit");
  TestContent bits = random_bits(1, 9, 1);
  bits.logical[1] |= std::byte{2};
  EXPECT_FALSE(encode(*find_codec("bits.raw"), ContentSource(bits.content, bits.logical)).ok());
}

TEST(CodecTable, ChoosesTheSmallestThatIsFastEnough) {
  const TestContent test = structured_trits(256, 512, 0.5, 1);
  const ContentSource source(test.content, test.logical);
  const CodecChoice slow = choose_codec(source, {.measure_all = true}).value();
  EXPECT_EQ(slow.codec->name(), "trits.context");
  for (const CodecSize& size : slow.sizes) {
    EXPECT_TRUE(size.is_measured);
    EXPECT_GE(size.bytes, slow.bytes) << size.codec->name();
  }
  const std::uint32_t too_fast = slow.codec->decode_rate(test.content) + 1;
  const CodecChoice fast =
      choose_codec(source, {.min_decode_rate = too_fast, .with_payload = true}).value();
  EXPECT_EQ(fast.codec->name(), "trits.order0");
  EXPECT_EQ(fast.payload.size(), fast.bytes);
  EXPECT_TRUE(fast.payload == encode(*fast.codec, source).value());
  const CodecChoice fastest = choose_codec(source, {.min_decode_rate = ~0U}).value();
  for (const CodecSize& size : fastest.sizes)
    EXPECT_LE(size.codec->decode_rate(test.content), fastest.codec->decode_rate(test.content));
}

}  // namespace
}  // namespace bankai::packer
