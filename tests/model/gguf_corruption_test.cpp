// Damaged files: every prefix, every byte changed to every other value, and files made to be slow.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "core/counter_rng.h"
#include "core/format.h"
#include "tests/model/gguf_checks.h"
#include "tests/support/gguf_builder.h"

namespace bankai::model {
namespace {

using bankai::testing::GgufImage;

// About 350 bytes with everything that has structure: strings, an array, an alignment, two tensors.
GgufImage tiny_gguf() {
  GgufImage image;
  image.set_alignment(16).strings("s", {"ab", ""}).number<std::uint8_t>("b", 7, 1);
  image.tensor("w", {128, 1}, 41, 18).tensor("n", {2, 2}, 0, 16);
  return image;
}

TEST(GgufCorruption, EveryPrefixIsRefused) {
  for (const GgufImage& image : {tiny_gguf(), bankai::testing::small_gguf()}) {
    const auto bytes = image.build();
    const auto whole = GgufFile::parse(bytes, "f");
    ASSERT_TRUE(whole.ok()) << whole.error().message;
    const GgufTensor& last = whole->tensors().back();
    const std::size_t end = last.offset + last.data.size();  // without the padding
    for (std::size_t length = 0; length < end; ++length) {
      // A copy of the exact size, so that a sanitizer sees reads past its end.
      const std::vector<std::byte> prefix(bytes.begin(),
                                          bytes.begin() + static_cast<std::ptrdiff_t>(length));
      const auto file = GgufFile::parse(prefix, "f");
      ASSERT_FALSE(file.ok()) << "the first " << length << " bytes were accepted";
      EXPECT_TRUE(file.error().message.starts_with("f: "));
    }
  }
}

TEST(GgufCorruption, EveryChangeOfAByteIsAcceptedOrRefused) {
  auto bytes = tiny_gguf().build();
  ASSERT_TRUE(GgufFile::parse(bytes, "f").ok());
  std::size_t accepted = 0;
  std::size_t refused = 0;
  for (std::byte& byte : bytes) {
    const std::byte original = byte;
    for (unsigned change = 1; change < 256; ++change) {
      byte = original ^ static_cast<std::byte>(change);
      const auto file = GgufFile::parse(bytes, "f");
      if (file.ok()) walk(*file);
      ++(file.ok() ? accepted : refused);
    }
    byte = original;
  }
  // Changes of names, values, padding and data are accepted; those of structure are not.
  EXPECT_GT(accepted, 0U);
  EXPECT_GT(refused, accepted / 2);
}

TEST(GgufCorruption, EveryBitOfALargerFile) {
  auto bytes = bankai::testing::small_gguf().build();
  for (std::byte& byte : bytes) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      byte ^= static_cast<std::byte>(1U << bit);
      if (const auto file = GgufFile::parse(bytes, "f"); file.ok()) walk(*file);
      byte ^= static_cast<std::byte>(1U << bit);
    }
  }
}

TEST(GgufCorruption, RandomWordsInTheHeader) {
  const auto original = bankai::testing::small_gguf().build();
  const CounterRng rng(20);
  for (std::size_t round = 0; round < 20000; ++round) {
    auto bytes = original;
    for (std::size_t i = 0; i < 1 + round % 3; ++i) {
      const std::uint64_t index = round * 8 + i * 2;
      const auto at = static_cast<std::size_t>(rng.below(index, bytes.size() - 8));
      // Small numbers, powers of two and their neighbours break more than random words.
      const std::uint64_t word = (std::uint64_t{1} << rng.below(index + 1, 64)) - round % 3;
      std::memcpy(&bytes[at], &word, sizeof word);
    }
    if (const auto file = GgufFile::parse(bytes, "f"); file.ok()) walk(*file);
  }
}

TEST(GgufCorruption, AHundredThousandKeysLoadQuickly) {
  GgufImage image;
  for (int i = 0; i < 100000; ++i) image.u32(format("key.%d", i * 7919 % 100000), 1);
  const auto bytes = image.build();
  EXPECT_LT(bytes.size(), 3U << 20U);
  const auto file = GgufFile::parse(bytes, "f");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(*file->get_unsigned("key.99999"), 1U);
  image.u32("key.0", 1);
  EXPECT_FALSE(GgufFile::parse(image.build(), "f").ok());
}

TEST(GgufCorruption, AHundredThousandTensorsLoadQuickly) {
  GgufImage image;
  image.set_alignment(8);
  for (int i = 0; i < 100000; ++i) image.tensor(format("t%d", i), {2}, 0, 8);
  const auto bytes = image.build();
  const auto file = GgufFile::parse(bytes, "f");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->tensors().size(), 100000U);
}

}  // namespace
}  // namespace bankai::model
