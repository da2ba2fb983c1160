#include "model/gguf_header.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/gguf_checks.h"
#include "tests/support/gguf_builder.h"

namespace bankai::model {
namespace {

using namespace bankai::testing;  // NOLINT: the builder and its type numbers

std::vector<std::byte> to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  return {bytes.begin(), bytes.end()};
}

GgufImage with_magic(std::string magic) {
  GgufImage image;
  image.magic = std::move(magic);
  return image;
}

GgufImage with_version(std::uint32_t version) {
  GgufImage image;
  image.version = version;
  return image;
}

GgufImage with_counts(std::uint64_t tensors, std::uint64_t values) {
  GgufImage image;
  image.declared_num_tensors = tensors;
  image.declared_num_values = values;
  return image;
}

// A key whose string length is declared as `length` but that has `text`.
GgufImage key_of_length(std::uint64_t length, std::string_view text) {
  ByteWriter writer;
  writer.write(length);
  writer.write_text(text);
  writer.write(kGgufU8);
  writer.write(std::uint8_t{0});
  return GgufImage().raw_value(writer.bytes());
}

GgufImage string_of_length(std::uint64_t length) {
  ByteWriter payload;
  payload.write(length);
  payload.write_text("text");
  return GgufImage().value("k", kGgufString, payload.bytes());
}

GgufImage strings_of_length(std::uint64_t length) {
  ByteWriter elements;
  elements.write(std::uint64_t{1});
  elements.write_text("a");
  elements.write(length);
  elements.write_text("b");
  return GgufImage().array("k", kGgufString, 2, elements.bytes());
}

std::vector<BadGguf> bad_starts() {
  constexpr auto kBad = ErrorCode::kBadInput;
  constexpr auto kUnsupported = ErrorCode::kUnsupported;
  return {
      {"empty file", {}, kBad, "the file is empty"},
      {"one byte", to_bytes("G"), kBad, "starts with 'G'"},
      {"magic only", to_bytes("GGUF"), kBad, "the version at offset 4"},
      {"cut in the version", to_bytes("GGUF\x03"), kBad, "the version"},
      {"zeros", std::vector<std::byte>(64), kBad, "'\\x00\\x00\\x00\\x00'"},
      {"lower case magic", with_magic("gguf").build(), kBad, "starts with 'gguf'"},
      {"reversed magic", with_magic("FUGG").build(), kBad, "starts with 'FUGG'"},
      {"an older format", with_magic("tjgg").build(), kBad, "expected 'GGUF'"},
      {"control characters as magic", with_magic("\x1b[2J").build(), kBad, "\\x1b[2J"},
      {"web page", to_bytes("<!DOCTYPE html><html>"), kBad, "web page"},
      {"Git LFS pointer", to_bytes("version https://git-lfs.github.com/spec/v1\noid sha256:0"),
       kBad, "Git LFS pointer"},
      {"version 0", with_version(0).build(), kUnsupported, "version 0"},
      {"version 1", with_version(1).build(), kUnsupported, "version 1 at offset 4"},
      {"version 4", with_version(4).build(), kUnsupported, "expected 2 or 3"},
      {"version 2^32 - 1", with_version(0xffffffffU).build(), kUnsupported, "4294967295"},
      {"big-endian version 3", with_version(0x03000000U).build(), kUnsupported, "big-endian"},
      {"big-endian version 2", with_version(0x02000000U).build(), kUnsupported, "version 2"},
      {"no counts", to_bytes(std::string("GGUF\3\0\0\0", 8)), kBad, "the tensor count"},
      {"no metadata count", to_bytes(std::string("GGUF\3\0\0\0\0\0\0\0\0\0\0\0", 16)), kBad,
       "the metadata count at offset 16"},
      {"one tensor, none there", with_counts(1, 0).build(), kBad, "declares 1 tensors"},
      {"one key, none there", with_counts(0, 1).build(), kBad, "declares 1 metadata keys"},
      {"2^32 tensors", with_counts(0x100000000U, 0).build(), kBad, "hold at most 0"},
      {"2^63 keys", with_counts(0, std::uint64_t{1} << 63U).build(), kBad, "9223372036854775808"},
      {"-1 tensors", with_counts(~std::uint64_t{0}, 0).build(), kBad, "18446744073709551615"},
      {"a key more than there are",
       [] {
         GgufImage image = small_gguf();
         image.declared_num_values = 16;
         return image.build();
       }(),
       kBad, "tensor"},
      {"a key fewer than there are",
       [] {
         GgufImage image = small_gguf();
         image.declared_num_values = 14;
         return image.build();
       }(),
       kBad, "tensor"},
  };
}

std::vector<BadGguf> bad_values() {
  constexpr auto kBad = ErrorCode::kBadInput;
  constexpr auto kUnsupported = ErrorCode::kUnsupported;
  const auto no_bytes = std::vector<std::byte>();
  const auto u8 = gguf_bytes(std::uint8_t{0});
  const auto u32 = gguf_bytes(std::uint32_t{0});
  return {
      {"empty key", GgufImage().u32("", 1).build(), kBad, "the key at offset 24 is empty"},
      {"key with a zero byte", GgufImage().u32(std::string_view("a\0b", 3), 1).build(), kBad,
       "'a\\x00b'"},
      {"key of 65536 bytes", GgufImage().u32(std::string(65536, 'k'), 1).build(), kBad,
       "has 65536 bytes"},
      {"key twice", GgufImage().u32("a", 1).u32("a", 1).build(), kBad,
       "key 'a' appears twice: values at offsets 37 and 54"},
      {"key twice, far apart", GgufImage().u32("a", 1).u32("b", 1).string("a", "x").build(), kBad,
       "key 'a' appears twice"},
      {"key longer than the file", key_of_length(1000, "key").build(), kBad, "a key at offset 32"},
      {"key of 2^63 bytes", key_of_length(std::uint64_t{1} << 63U, "key").build(), kBad,
       "needs 9223372036854775808 bytes"},
      {"type 13", GgufImage().value("k", 13, u32).build(), kBad, "key 'k': value type 13"},
      {"type -1", GgufImage().value("k", 0xffffffffU, u32).build(), kBad, "expected 0 to 12"},
      {"type 2^8", GgufImage().value("k", 256, u8).build(), kBad, "value type 256"},
      {"u16 cut short", GgufImage().value("k", kGgufU16, u8).build(), kBad, "type u16"},
      {"u32 cut short", GgufImage().value("kk", kGgufU32, u8).build(), kBad, "type u32"},
      {"u64 cut short", GgufImage().value("k", kGgufU64, u32).build(), kBad,
       "key 'k': 1 values of type u64 at offset 37 do not fit the 4 bytes left"},
      {"f64 cut short", GgufImage().value("k", kGgufF64, u32).build(), kBad, "type f64"},
      {"bool 2", GgufImage().number<std::uint8_t>("k", kGgufBool, 2).build(), kBad,
       "key 'k': bool 2 at offset 37"},
      {"bool 255", GgufImage().number<std::uint8_t>("k", kGgufBool, 255).build(), kBad, "bool 255"},
      {"bool 2 in an array",
       GgufImage().array("k", kGgufBool, 3, to_bytes(std::string("\0\1\2", 3))).build(), kBad,
       "bool 2 at offset 51"},
      {"string longer than the file", string_of_length(5).build(), kBad, "a string at offset 45"},
      {"string of 2^64 - 1 bytes", string_of_length(~std::uint64_t{0}).build(), kBad, "key 'k'"},
      {"string without its length", GgufImage().value("k", kGgufString, u32).build(), kBad,
       "type string"},
      {"second string of an array too long", strings_of_length(2).build(), kBad, "a string"},
      {"second string of an array wraps", strings_of_length(~std::uint64_t{0} - 8).build(), kBad,
       "18446744073709551607"},
      {"array without a type", GgufImage().value("k", kGgufArray, u8).build(), kBad, "value type"},
      {"array without a count", GgufImage().value("k", kGgufArray, u32).build(), kBad,
       "an element count"},
      {"array of arrays", GgufImage().array("k", kGgufArray, 1, std::vector<std::byte>(12)).build(),
       kUnsupported, "an array of arrays"},
      {"array of type 13", GgufImage().array("k", 13, 1, u32).build(), kBad, "value type 13"},
      {"array one element short", GgufImage().array("k", kGgufU32, 2, u32).build(), kBad,
       "2 values of type u32"},
      {"array of 2^61 u64", GgufImage().array("k", kGgufU64, std::uint64_t{1} << 61U, u32).build(),
       kBad, "2305843009213693952 values"},
      {"array of 2^64 - 1 u8", GgufImage().array("k", kGgufU8, ~std::uint64_t{0}, u32).build(),
       kBad, "values of type u8"},
      {"array of strings without lengths",
       GgufImage().array("k", kGgufString, 2, std::vector<std::byte>(15)).build(), kBad,
       "2 values of type string"},
      {"alignment 0", GgufImage().u32("general.alignment", 0).build(), kBad, "is 0, expected"},
      {"alignment 1", GgufImage().u32("general.alignment", 1).build(), kBad, "is 1, expected"},
      {"alignment 4", GgufImage().u32("general.alignment", 4).build(), kBad, "power of two"},
      {"alignment 12", GgufImage().u32("general.alignment", 12).build(), kBad, "is 12"},
      {"alignment 33", GgufImage().u32("general.alignment", 33).build(), kBad, "is 33"},
      {"alignment of type u64",
       GgufImage().number<std::uint64_t>("general.alignment", kGgufU64, 32).build(), kBad,
       "has type u64, expected u32"},
      {"alignment of type i32",
       GgufImage().number<std::int32_t>("general.alignment", kGgufI32, 32).build(), kBad,
       "has type i32"},
      {"alignment as a string", GgufImage().string("general.alignment", "32").build(), kBad,
       "has type string"},
      {"alignment as an array",
       GgufImage().array("general.alignment", kGgufU32, 1, gguf_bytes(std::uint32_t{32})).build(),
       kBad, "has type array"},
      {"a hostile key in a message", GgufImage().value("a\n\x1b[31mb", 13, no_bytes).build(), kBad,
       "'a\\x0a\\x1b[31mb'"},
  };
}

TEST(GgufHeader, BadStartsAreRefused) {
  for (const BadGguf& bad : bad_starts()) expect_refused(bad);
}

TEST(GgufHeader, BadValuesAreRefused) {
  for (const BadGguf& bad : bad_values()) expect_refused(bad);
}

TEST(GgufHeader, TheLongestKeyIsRead) {
  const auto bytes = GgufImage().u32(std::string(65535, 'k'), 1).build();
  EXPECT_TRUE(GgufFile::parse(bytes, "f").ok());
}

TEST(GgufHeader, EveryAlignmentOfTheFormatIsRead) {
  for (std::uint32_t alignment = 8; alignment != 0; alignment *= 2) {
    const auto bytes = GgufImage().u32("general.alignment", alignment).build();
    const auto file = GgufFile::parse(bytes, "f");
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_EQ(file->alignment(), alignment);
  }
}

TEST(GgufHeader, BothVersionsHaveTheSameLayout) {
  GgufImage image = small_gguf();
  image.version = 2;
  const auto bytes = image.build();
  const auto file = GgufFile::parse(bytes, "f");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->version(), 2U);
  EXPECT_EQ(file->tensors().size(), kernels::kTensorTypes.size());
}

}  // namespace
}  // namespace bankai::model
