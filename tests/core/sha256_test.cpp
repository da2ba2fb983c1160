#include "core/sha256.h"

#include <gtest/gtest.h>

#include "core/byte_writer.h"

namespace bankai {
namespace {

std::string sha256_hex(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return to_hex(hash.finish());
}

// FIPS 180-2, appendix B, and the empty message.
TEST(Sha256, KnownVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, UpdatesAddUp) {
  const std::string text(300, 'x');
  for (const std::size_t cut : {0U, 1U, 63U, 64U, 65U, 300U}) {
    Sha256 hash;
    hash.update(std::string_view(text).substr(0, cut));
    hash.update(std::string_view(text).substr(cut));
    EXPECT_EQ(to_hex(hash.finish()), sha256_hex(text));
  }
}

TEST(Sha256, NumbersAreEightLittleEndianBytes) {
  Sha256 hash;
  hash.update_u64(0x0102030405060708U);
  EXPECT_EQ(to_hex(hash.finish()), sha256_hex("\x08\x07\x06\x05\x04\x03\x02\x01"));
}

TEST(Hex, EveryByteGoesThereAndBack) {
  for (int value = 0; value < 256; ++value) {
    const std::byte byte{static_cast<unsigned char>(value)};
    const std::string text = to_hex(std::span(&byte, 1));
    std::byte back{};
    ASSERT_TRUE(from_hex(text, std::span(&back, 1)));
    EXPECT_EQ(back, byte);
  }
  std::byte upper{};
  EXPECT_TRUE(from_hex("Af", std::span(&upper, 1)));
  EXPECT_EQ(upper, std::byte{0xaf});
}

TEST(Hex, RefusesWhatIsNotHex) {
  std::byte two[2];
  for (const char* text : {"", "0", "012", "01234", "012g", "0 12", "-123", "0x12"})
    EXPECT_FALSE(from_hex(text, two)) << text;
  EXPECT_TRUE(from_hex("", std::span<std::byte>()));
}

}  // namespace
}  // namespace bankai
