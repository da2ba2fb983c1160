#include "model/gguf_tensor.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/gguf_checks.h"
#include "tests/support/gguf_builder.h"

namespace bankai::model {
namespace {

using bankai::testing::GgufImage;
using bankai::testing::RawTensor;
using kernels::TensorType;

constexpr std::uint32_t kF32 = 0, kF16 = 1, kQ8_0 = 8, kQ1_0 = 41;

std::vector<std::byte> one_tensor(std::vector<std::uint64_t> dims, std::uint32_t type,
                                  std::size_t num_bytes) {
  return GgufImage().tensor("t", std::move(dims), type, num_bytes).build();
}

// Two F32 tensors of 4 values; the second declares `offset` where 32 is right.
std::vector<std::byte> second_at(std::uint64_t offset) {
  GgufImage image;
  image.tensor("a", {4}, kF32, 16).tensor("b", {4}, kF32, 16);
  image.tensors[1].declared_offset = offset;
  return image.build();
}

// A tensor of 64 bytes whose entry says `value` in one field.
template <typename T>
std::vector<std::byte> entry_with(std::optional<T> RawTensor::*field, T value) {
  RawTensor tensor{"t", {16}, kF32, std::vector<std::byte>(64)};
  tensor.*field = value;
  return GgufImage().tensor(std::move(tensor)).build();
}

std::vector<std::byte> named(const std::string& name) {
  return GgufImage().tensor(name, {4}, kF32, 16).build();
}

// The small file with `count` bytes more or fewer at its end.
std::vector<std::byte> resized(int count) {
  std::vector<std::byte> bytes = GgufImage().tensor("t", {32}, kF32, 128).build();
  bytes.resize(bytes.size() + static_cast<std::size_t>(count));
  return bytes;
}

std::vector<BadGguf> bad_entries() {
  constexpr auto kBad = ErrorCode::kBadInput;
  return {
      {"empty name", named(""), kBad, "tensor entry at offset 24: the name is empty"},
      {"name of 65 bytes", named(std::string(65, 'n')), kBad, "a name of 65 bytes"},
      {"name with a zero byte", named(std::string("a\0b", 3)), kBad, "'a\\x00b'"},
      {"name of 2^64 - 1 bytes", entry_with(&RawTensor::declared_name_bytes, ~std::uint64_t{0}),
       kBad, "a tensor name at offset 32"},
      {"the same name twice",
       GgufImage().tensor("a", {4}, kF32, 16).tensor("a", {4}, kF32, 16).build(), kBad,
       "tensor 'a' appears twice: entries at offsets 24 and 57"},
      {"no dimensions", one_tensor({}, kF32, 4), kBad, "tensor 't': 0 dimensions"},
      {"five dimensions", one_tensor({1, 1, 1, 1, 1}, kF32, 4), kBad, "5 dimensions at offset 33"},
      {"dimension 0", one_tensor({0}, kF32, 0), kBad, "dimension 0 is 0"},
      {"rows 0", one_tensor({4, 0}, kF32, 0), kBad, "dimension 1 is 0"},
      {"last of four 0", one_tensor({4, 1, 1, 0}, kF32, 0), kBad, "dimension 3 is 0"},
      {"dimension 2^31", one_tensor({0x80000000U}, kF32, 64), kBad, "expected 1 to 2147483647"},
      {"dimension -1", one_tensor({~std::uint64_t{0}}, kF32, 64), kBad, "18446744073709551615"},
      {"product of 2^93", one_tensor({0x40000000U, 0x40000000U, 0x40000000U, 8}, kF32, 64), kBad,
       "the product of the dimensions"},
      {"bytes beyond 2^62", one_tensor({0x40000000U, 0x40000000U, 2}, kF32, 64), kBad,
       "its size in bytes"},
      {"more than the file holds", one_tensor({1000}, kF32, 64), kBad,
       "ends past the end of the file (data at offset 64, 4000 bytes, file size 128)"},
      {"Q1_0 row of 64", one_tensor({64, 2}, kQ1_0, 18), kBad,
       "64 columns, expected a multiple of 128 for type Q1_0"},
      {"Q8_0 row of 33", one_tensor({33}, kQ8_0, 68), kBad, "multiple of 32 for type Q8_0"},
      {"tensor data missing altogether",
       [] {
         auto bytes = one_tensor({4}, kF32, 16);
         bytes.resize(57);
         return bytes;
       }(),
       kBad, "the tensor data starts at offset 64, past the end of the file (57)"},
      {"one dimension cut off", entry_with(&RawTensor::declared_num_dims, std::uint32_t{4}), kBad,
       "tensor 't'"},
  };
}

std::vector<BadGguf> bad_layouts() {
  constexpr auto kBad = ErrorCode::kBadInput;
  return {
      {"first tensor not at 0", entry_with(&RawTensor::declared_offset, std::uint64_t{32}), kBad,
       "tensor 't': data offset 32, expected 0"},
      {"gap", second_at(64), kBad, "tensor 'b': data offset 64, expected 32"},
      {"overlap", second_at(0), kBad, "data offset 0, expected 32"},
      {"not aligned", second_at(16), kBad, "data offset 16, expected 32"},
      {"offset 2^63", second_at(std::uint64_t{1} << 63U), kBad, "9223372036854775808"},
      {"offset -32", second_at(~std::uint64_t{31}), kBad, "expected 32"},
      {"order reversed",
       [] {
         GgufImage image;
         image.tensor("a", {4}, kF32, 16).tensor("b", {4}, kF32, 16);
         image.tensors[0].declared_offset = 32;
         image.tensors[1].declared_offset = 0;
         return image.build();
       }(),
       kBad, "in the order of their entries"},
      {"last tensor a byte short", resized(-1), kBad, "ends past the end"},
      {"a byte after the end", resized(1), kBad, "1 bytes follow the end of the last tensor"},
      {"a second file after the end",
       [] {
         auto bytes = resized(0);
         const auto again = bytes;
         bytes.insert(bytes.end(), again.begin(), again.end());
         return bytes;
       }(),
       kBad, "(file size 384)"},
      {"bytes after metadata without tensors",
       [] {
         auto bytes = GgufImage().u32("k", 1).build();
         bytes.resize(bytes.size() + 32);
         return bytes;
       }(),
       kBad, "no tensor is listed"},
      {"one tensor fewer listed than there is",
       [] {
         GgufImage image;
         image.tensor("a", {32}, kF32, 128).tensor("b", {32}, kF32, 128);
         image.declared_num_tensors = 1;
         return image.build();
       }(),
       kBad, "follow the end of the last tensor"},
      {"padding of a middle tensor missing",
       [] {
         GgufImage image;
         image.alignment = 8;
         image.tensor("a", {2}, kF32, 8).tensor("b", {2}, kF32, 8);
         return image.build();
       }(),
       kBad, "data offset 8, expected 32"},
  };
}

TEST(GgufTensor, BadEntriesAreRefused) {
  for (const BadGguf& bad : bad_entries()) expect_refused(bad);
}

TEST(GgufTensor, BadLayoutsAreRefused) {
  for (const BadGguf& bad : bad_layouts()) expect_refused(bad);
}

TEST(GgufTensor, TheLastTensorMayLackItsPadding) {
  GgufImage image;
  image.tensor("a", {5}, kF32, 20).tensor("b", {3}, kF16, 6);
  for (const bool padded : {true, false}) {
    image.pads_last_tensor = padded;
    const auto bytes = image.build();
    const auto file = GgufFile::parse(bytes, "f");
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_EQ(file->find_tensor("b")->data.size(), 6U);
    EXPECT_EQ(file->bytes().size() % 32, padded ? 0U : 6U);
  }
}

TEST(GgufTensor, PaddingMayHoldAnything) {
  auto bytes = GgufImage().tensor("a", {1}, kF32, 4).tensor("b", {1}, kF32, 4).build();
  bytes[bytes.size() - 60] = std::byte{1};  // after a's four bytes
  EXPECT_TRUE(GgufFile::parse(bytes, "f").ok());
}

TEST(GgufTensor, NamesOf64BytesAreRead) {
  EXPECT_TRUE(GgufFile::parse(named(std::string(64, 'n')), "f").ok());
}

TEST(GgufTensor, RowsAreTheProductOfAllOtherDimensions) {
  const auto bytes = one_tensor({32, 2, 3, 4}, kQ8_0, 34 * 24);
  const auto file = GgufFile::parse(bytes, "f");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->tensors()[0].cols(), 32U);
  EXPECT_EQ(file->tensors()[0].rows(), 24U);
}

TEST(GgufTensor, SizesOfAllTypes) {
  const std::vector<std::uint64_t> dims = {256, 3};
  EXPECT_EQ(*tensor_bytes(TensorType::kF32, dims), 3072U);
  EXPECT_EQ(*tensor_bytes(TensorType::kF16, dims), 1536U);
  EXPECT_EQ(*tensor_bytes(TensorType::kBF16, dims), 1536U);
  EXPECT_EQ(*tensor_bytes(TensorType::kQ8_0, dims), 816U);
  EXPECT_EQ(*tensor_bytes(TensorType::kQ1_0, dims), 108U);
  EXPECT_EQ(*tensor_bytes(TensorType::kTQ1_0, dims), 162U);
  EXPECT_EQ(*tensor_bytes(TensorType::kTQ2_0, dims), 198U);
  EXPECT_EQ(*tensor_bytes(TensorType::kI2_S, dims), 224U);
  EXPECT_EQ(*tensor_bytes(TensorType::kQ2_0, dims), 216U);
  EXPECT_EQ(*tensor_bytes(TensorType::kPQ2_0, dims), 204U);
}

}  // namespace
}  // namespace bankai::model
