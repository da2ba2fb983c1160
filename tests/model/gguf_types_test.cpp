#include "model/gguf_types.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "kernels/tensor_type.h"
#include "tests/model/gguf_checks.h"
#include "tests/support/gguf_builder.h"

namespace bankai::model {
namespace {

using bankai::testing::GgufImage;

// A file whose tensor 't' has the given type, weights and bytes, and another tensor after it or
// none.
std::vector<std::byte> file_of(std::uint32_t type, std::uint64_t weights, std::size_t num_bytes,
                               bool is_last) {
  GgufImage image;
  image.tensor("t", {weights}, type, num_bytes);
  if (!is_last) image.tensor("next", {1}, 0, 4);
  return image.build();
}

std::string refusal(std::uint32_t type, std::uint64_t weights, std::size_t num_bytes,
                    bool is_last = false) {
  const auto bytes = file_of(type, weights, num_bytes, is_last);
  const auto file = GgufFile::parse(bytes, "f");
  if (file.ok()) return "accepted";
  EXPECT_EQ(file.error().code, ErrorCode::kUnsupported) << file.error().message;
  EXPECT_TRUE(file.error().message.starts_with("f: tensor 't': type id " + std::to_string(type)))
      << file.error().message;
  return file.error().message;
}

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(GgufTypes, WellKnownTypesAreNamed) {
  expect_part(refusal(2, 256, 144), "is Q4_0;");
  expect_part(refusal(12, 256, 144), "is Q4_K; this program reads F32, F16, Q8_0, BF16, Q1_0");
  expect_part(refusal(14, 256, 210), "Q6_K");
  expect_part(refusal(34, 256, 54), "TQ1_0");
  expect_part(refusal(35, 256, 66), "TQ2_0");
  expect_part(refusal(36, 256, 96), "I2_S");
  expect_part(refusal(39, 256, 136), "MXFP4");
  expect_part(refusal(142, 128, 34), "PQ2_0");
  expect_part(refusal(143, 128, 28), "PTQ1_0");
}

TEST(GgufTypes, EveryOtherIdIsRefusedAsUnknown) {
  for (const std::uint32_t id : {31U, 32U, 33U, 43U, 141U, 144U, 255U, 0x7fffffffU, 0xffffffffU})
    expect_part(refusal(id, 256, 64), "is not known");
}

TEST(GgufTypes, AnIdIsEitherReadOrRefused) {
  for (std::uint32_t id = 0; id < 300; ++id) {
    if (kernels::find_tensor_type(id) != nullptr) continue;
    EXPECT_NE(refusal(id, 256, 64), "accepted") << id;
  }
}

TEST(GgufTypes, Id40IsToldApartByItsStride) {
  for (const bool is_last : {false, true}) {
    const std::string prism = refusal(40, 1024, 1024 / 32 * 6, is_last);
    expect_part(prism, "is Q1_0 of the first Prism files (32 weights in 6 bytes); convert the");
    EXPECT_EQ(prism.find("NVFP4"), std::string::npos) << prism;
    const std::string nvidia = refusal(40, 1024, 1024 / 64 * 36, is_last);
    expect_part(nvidia, "is NVFP4;");
    EXPECT_EQ(nvidia.find("Prism"), std::string::npos) << nvidia;
    expect_part(refusal(40, 1024, 999, is_last), "with 1024 weights in");
    expect_part(refusal(40, 1024, 999, is_last), "fits none of its layouts (NVFP4 or Q1_0 of");
  }
  expect_part(refusal(40, 64, 20, true), "Prism");  // padded to 32: only 12 bytes fit, 36 do not
}

TEST(GgufTypes, Id42IsToldApartByItsStride) {
  expect_part(refusal(42, 4096, 4096 / 64 * 18), "is Q2_0 (64 weights in 18 bytes);");
  expect_part(refusal(42, 4096, 4096 / 128 * 34), "is Q2_0 of the first Prism files");
  // 36 and 34 bytes are both padded to 64.
  expect_part(refusal(42, 128, 36), "is Q2_0 (64 weights in 18 bytes) or Q2_0 of the first Prism");
}

TEST(GgufTypes, Id41WithAnotherStrideIsRefused) {
  EXPECT_EQ(refusal(41, 1024, 144), "accepted");
  // 1024 weights at 6 bytes per 32 instead of 18 per 128.
  const auto bytes = file_of(41, 1024, 192, false);
  expect_refused({"192 bytes", bytes, ErrorCode::kBadInput,
                  "tensor 't': type Q1_0 (id 41, 128 weights in 18 bytes) needs 144 bytes, but the "
                  "next tensor starts 192 bytes on: another layout"});
}

TEST(GgufTypes, AnExtentFitsWithItsPaddingOnly) {
  const auto fits_bytes = [](std::uint64_t bytes, bool is_last) {
    return fits({1024, bytes, 32, is_last}, 128, 18);  // 144 bytes, 160 with padding
  };
  for (std::uint64_t bytes = 0; bytes < 300; ++bytes) {
    EXPECT_EQ(fits_bytes(bytes, false), bytes == 160) << bytes;
    EXPECT_EQ(fits_bytes(bytes, true), bytes >= 144 && bytes <= 175) << bytes;
  }
  EXPECT_FALSE(fits({1000, 144, 32, false}, 128, 18));  // no whole number of blocks
  EXPECT_FALSE(fits({std::uint64_t{1} << 62U, 144, 32, true}, 32, 1U << 30U));  // wraps
}

}  // namespace
}  // namespace bankai::model
