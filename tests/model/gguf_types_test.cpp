#include "model/gguf_types.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "kernels/i2_s_layouts.h"
#include "kernels/tensor_type.h"
#include "model/architecture.h"
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
  expect_part(refusal(12, 256, 144), "is Q4_K; this program reads F32, F16, Q8_0, BF16, TQ1_0, ");
  expect_part(refusal(14, 256, 210), "Q6_K");
  expect_part(refusal(37, 256, 256), "I8_S");
  expect_part(refusal(39, 256, 136), "MXFP4");
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

// The types of all tensors, or the error.
std::string types_of(const GgufImage& image) {
  const auto bytes = image.build();
  const auto file = GgufFile::parse(bytes, "f");
  if (!file.ok()) return file.error().message;
  std::string names;
  for (const GgufTensor& tensor : file->tensors())
    names.append(names.empty() ? "" : " ")
        .append(kernels::tensor_type_info(tensor.type).name)
        .append(" " + std::to_string(tensor.type_id));
  return names;
}

constexpr std::size_t kQ2Bytes = 4096 / 64 * 18;
constexpr std::size_t kPq2Bytes = 4096 / 128 * 34;

TEST(GgufTypes, Id42IsToldApartByItsStride) {
  EXPECT_EQ(types_of(GgufImage().tensor("t", {4096}, 42, kQ2Bytes)), "Q2_0 42");
  EXPECT_EQ(types_of(GgufImage().tensor("t", {4096}, 42, kPq2Bytes)), "PQ2_0 42");
  EXPECT_EQ(types_of(GgufImage().tensor("t", {4096}, 42, kQ2Bytes).tensor("n", {1}, 0, 4)),
            "Q2_0 42 F32 0");
  EXPECT_EQ(types_of(GgufImage().tensor("t", {4096}, 42, kPq2Bytes).tensor("n", {1}, 0, 4)),
            "PQ2_0 42 F32 0");
  EXPECT_EQ(types_of(GgufImage().tensor("t", {4096}, 142, kPq2Bytes)), "PQ2_0 142");
}

TEST(GgufTypes, WherePaddingHidesTheStrideOfId42TheWholeFileDecides) {
  // 128 weights in 36 or 34 bytes, both padded to 64: before, behind and between what tells.
  for (const auto& [bytes, name] :
       {std::pair<std::size_t, std::string>{kQ2Bytes, "Q2_0"}, {kPq2Bytes, "PQ2_0"}}) {
    GgufImage image;
    image.tensor("a", {128}, 42, 34).tensor("t", {4096}, 42, bytes).tensor("b", {128}, 42, 36);
    EXPECT_EQ(types_of(image), name + " 42 " + name + " 42 " + name + " 42");
  }
  expect_part(refusal(42, 128, 36),
              "is Q2_0 (64 weights in 18 bytes) or PQ2_0, the Q2_0 of the first Prism files (128 "
              "weights in 34 bytes);");
  GgufImage both;
  both.tensor("a", {128}, 42, 34)
      .tensor("q", {4096}, 42, kQ2Bytes)
      .tensor("p", {4096}, 42, kPq2Bytes);
  expect_part(types_of(both), "tensor 'a': type id 42 is Q2_0 (64 weights in 18 bytes) or PQ2_0,");
  both.tensors.erase(both.tensors.begin());
  EXPECT_EQ(types_of(both),
            "f: tensor 'q': type id 42 is Q2_0 (64 weights in 18 bytes) here, but not in all "
            "tensors of the file: two layouts under one id, or a file cut short");
}

TEST(GgufTypes, AFileOfId42ThatIsCutShortIsRefused) {
  // Cut where the other layout would end.
  auto bytes = GgufImage().tensor("a", {4096}, 42, kQ2Bytes).tensor("b", {4096}, 42, kQ2Bytes);
  bytes.pads_last_tensor = false;
  auto file = bytes.build();
  file.resize(file.size() - (kQ2Bytes - kPq2Bytes));
  expect_refused({"cut short", file, ErrorCode::kUnsupported, "or a file cut short"});
}

TEST(GgufTypes, Id42WithNeitherStrideIsRefusedNamingBoth) {
  expect_part(
      refusal(42, 4096, 1000),
      "type id 42 with 4096 weights in 1024 bytes fits none of its layouts (Q2_0 (64 "
      "weights in 18 bytes) or PQ2_0, the Q2_0 of the first Prism files (128 weights in 34");
}

TEST(GgufTypes, I2SHasItsScaleBehindTheCodes) {
  EXPECT_EQ(types_of(GgufImage().tensor("t", {256, 3}, 36, 192 + 32)), "I2_S 36");
  EXPECT_EQ(types_of(GgufImage().tensor("t", {256, 3}, 36, 224).tensor("n", {1}, 0, 4)),
            "I2_S 36 F32 0");
  for (const std::size_t wrong : {192U, 256U, 768U})
    expect_refused({"I2_S", file_of(36, 768, wrong, false), ErrorCode::kBadInput,
                    "tensor 't': type I2_S (id 36, 128 weights in 32 bytes and 32 behind all) "
                    "needs 224 bytes, but the next tensor starts " +
                        std::to_string(wrong) + " bytes on"});
  expect_refused({"I2_S without its scale", file_of(36, 768, 192, true), ErrorCode::kBadInput,
                  "ends past the end of the file"});
  expect_refused({"I2_S of 64 columns", file_of(36, 64, 48, true), ErrorCode::kBadInput,
                  "64 columns, expected a multiple of 128 for type I2_S"});
}

TEST(GgufTypes, TheDocumentListsEveryTypeAndArchitecture) {
  const auto text = read_file(BANKAI_SOURCE_DIR "/docs/formats/gguf.md");
  ASSERT_TRUE(text.ok());
  for (const kernels::TensorTypeInfo& info : kernels::kTensorTypes)
    EXPECT_NE(text->find(std::string(info.name)), std::string::npos) << info.name;
  for (const kernels::I2sLayoutInfo& info : kernels::kI2sLayouts)
    EXPECT_NE(text->find("| `" + std::string(info.name) + "` |"), std::string::npos) << info.name;
  for (const Architecture& architecture : kArchitectures)
    EXPECT_NE(text->find("| `" + std::string(architecture.name) + "` |"), std::string::npos)
        << architecture.name;
}

TEST(GgufTypes, ColumnsMustBeWholeBlocks) {
  const std::pair<std::uint32_t, std::size_t> types[] = {{34, 54}, {35, 66}};
  for (const auto& [id, block_bytes] : types)
    expect_refused({"half a block", file_of(id, 384, block_bytes * 3 / 2, true),
                    ErrorCode::kBadInput, "384 columns, expected a multiple of 256 for type TQ"});
  expect_refused({"half a block", file_of(142, 64, 17, true), ErrorCode::kBadInput,
                  "64 columns, expected a multiple of 128 for type PQ2_0"});
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
  EXPECT_TRUE(fits({1024, 192, 32, false}, 128, 18, 32));
  EXPECT_FALSE(fits({1024, 160, 32, false}, 128, 18, 32));
  EXPECT_FALSE(fits({1024, 160, 32, false}, 128, 18, ~std::uint64_t{0}));  // wraps
  EXPECT_FALSE(fits({1000, 144, 32, false}, 128, 18));  // no whole number of blocks
  EXPECT_FALSE(fits({std::uint64_t{1} << 62U, 144, 32, true}, 32, 1U << 30U));  // wraps
}

}  // namespace
}  // namespace bankai::model
