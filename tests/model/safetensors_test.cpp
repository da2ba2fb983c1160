#include "model/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "core/atomic_file.h"
#include "model/safetensors_writer.h"
#include "tests/model/safetensors_image.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

using testing::safetensors_bytes;
using testing::small_safetensors;

std::string refusal(const std::vector<std::byte>& bytes) {
  const auto file = SafetensorsFile::parse(bytes, "x.safetensors");
  if (file.ok()) return "accepted";
  EXPECT_EQ(file.error().message.substr(0, 15), "x.safetensors: ");
  return file.error().message.substr(15);
}

std::string refusal(const std::string& json, std::size_t data_bytes) {
  return refusal(safetensors_bytes(json, data_bytes));
}

TEST(Safetensors, ASmallFileIsReadInTheOrderOfItsData) {
  const auto bytes = small_safetensors();
  const auto file = SafetensorsFile::parse(bytes, "x");
  ASSERT_TRUE(file.ok()) << file.error().message;
  ASSERT_EQ(file->tensors().size(), 4U);
  std::string names;
  for (const SafetensorsTensor& tensor : file->tensors()) names += tensor.name;
  EXPECT_EQ(names, "aebn");
  EXPECT_EQ(file->metadata().at("format"), "pt");
  const SafetensorsTensor& b = file->tensors()[2];
  EXPECT_EQ(b.type, SafetensorsType::kF16);
  EXPECT_EQ(b.shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(b.data.size(), 12U);
  EXPECT_EQ(b.data.data(), bytes.data() + bytes.size() - 13);
  EXPECT_EQ(file->tensors()[3].elements(), 1U);
}

TEST(Safetensors, EveryPrefixIsRefused) {
  const auto bytes = small_safetensors();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_NE(refusal(std::vector<std::byte>(bytes.begin(),
                                             bytes.begin() + static_cast<std::ptrdiff_t>(size))),
              "accepted")
        << size;
}

TEST(Safetensors, EveryChangeOfAByteIsRefusedOrHarmless) {
  const auto original = small_safetensors();
  std::size_t accepted = 0;
  for (std::size_t at = 0; at < original.size(); ++at) {
    for (unsigned change = 1; change < 256; ++change) {
      auto bytes = original;
      bytes[at] ^= static_cast<std::byte>(change);
      const auto file = SafetensorsFile::parse(bytes, "x");
      if (!file.ok()) continue;
      ++accepted;
      std::size_t data = 0;
      for (const SafetensorsTensor& tensor : file->tensors()) {
        ASSERT_EQ(tensor.data.size(), tensor.elements() * safetensors_type_info(tensor.type).bytes);
        for (const std::byte byte : tensor.data) data += std::to_integer<std::size_t>(byte);
      }
      ASSERT_GT(data, 0U);
    }
  }
  EXPECT_GT(accepted, 0U);  // names, numbers in the data
}

struct BadHeader {
  const char* json;
  std::size_t data_bytes;
  const char* message;
};
constexpr BadHeader kBadHeaders[] = {
    {"", 0, "does not start with '{'"},
    {"[]", 0, "does not start with '{'"},
    {" {}", 0, "does not start with '{'"},
    {"{", 0, "not valid JSON"},
    {"{}x", 0, "not valid JSON at offset 11"},
    {"{} {}", 0, "not valid JSON"},
    {"{}", 1, "the tensors end at offset 10, the file at 11"},
    {R"({"a":1})", 0, "a number as 'a' does not belong there"},
    {R"({"a":null})", 0, "null as 'a'"},
    {R"({"a":[]})", 0, "a list as 'a'"},
    {R"({"a":[[[[]]]]})", 0, "a list as 'a'"},
    {R"({"a":"x"})", 0, "a string as 'a'"},
    {R"({"a":{}})", 0, "lacks dtype"},
    {R"({"a":{"dtype":"F32","shape":[1]}})", 4, "lacks dtype, shape or data_offsets"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4, "unknown key 'x'"},
    {R"({"a":{"dtype":{},"shape":[1],"data_offsets":[0,4]}})", 4, "an object as 'dtype'"},
    {R"({"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})", 4, "a number as 'dtype'"},
    {R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4, "a number as 'shape'"},
    {R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4, "a list as 'shape'"},
    {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "a negative number"},
    {R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "a fraction"},
    {R"({"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}})", 4, "not valid JSON"},
    {R"({"a":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}})", 4, "a truth value"},
    {R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4,
     "too many numbers"},
    {R"({"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}})", 4, "a string as 'shape'"},
    {R"({"a":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}})", 4, "the type is 'Q4'; known are"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, "has 1 numbers, expected 2"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "3 numbers, expected 2"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "data_offsets are 4 to 0"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,5]}})", 4, "data_offsets are 0 to 5"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "occupies 4 bytes, its shape"},
    {R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", 4,
     "beyond 64 bits"},
    {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
     "beyond 64 bits"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,4]}})", 4,
     "data_offsets are 18446744073709551612 to 4"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8,
     "starts at offset 66, expected 62"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
     R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
     3, "tensor 'b' starts at offset"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
     R"("b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
     2, "tensor 'b' starts at offset"},
    // An empty tensor in the middle of another.
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
     R"("b":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}})",
     2, "tensor 'b' starts at offset"},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
     R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
     2, "the key 'a' stands twice"},
    {R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1,
     "the key 'dtype' stands twice"},
    {R"({"__metadata__":{"a":1}})", 0, "a number in the metadata"},
    {R"({"__metadata__":{"a":{}}})", 0, "an object in the metadata"},
    {R"({"__metadata__":[]})", 0, "a list as '__metadata__'"},
    {R"({"__metadata__":{"a":"","a":""}})", 0, "the key 'a' stands twice"},
    {"{\"\xff\":{}}", 0, "not valid JSON"},
};

TEST(Safetensors, BadHeadersAreRefusedWithTheirReason) {
  for (const BadHeader& bad : kBadHeaders) {
    const std::string message = refusal(bad.json, bad.data_bytes);
    EXPECT_NE(message.find(bad.message), std::string::npos)
        << bad.json << "\n  said: " << message << "\n  expected: " << bad.message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
  for (const std::uint64_t length :
       {std::uint64_t{3}, std::uint64_t{100'000'001}, std::uint64_t{1} << 63U, ~std::uint64_t{0}})
    EXPECT_NE(refusal(safetensors_bytes("{}", 0, length)).find("header length at offset 0"),
              std::string::npos);
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
  const auto bytes = std::as_bytes(std::span(pointer));
  EXPECT_NE(refusal({bytes.begin(), bytes.end()}).find("a Git LFS pointer"), std::string::npos);
}

TEST(Safetensors, EverySmallFloatHasItsDefinedValue) {
  for (unsigned code = 0; code < 256; ++code) {
    const float value = f8_e4m3_to_float(static_cast<std::uint8_t>(code));
    const unsigned exponent = code >> 3U & 15U;
    const unsigned fraction = code & 7U;
    if (exponent == 15 && fraction == 7) {
      EXPECT_TRUE(std::isnan(value)) << code;
      continue;
    }
    double expected = exponent == 0 ? fraction / 8.0 / 64.0
                                    : (1.0 + fraction / 8.0) * std::pow(2.0, exponent - 7.0);
    if (code >= 128) expected = -expected;
    EXPECT_EQ(static_cast<double>(value), expected) << code;
    EXPECT_EQ(std::signbit(value), code >= 128) << code;
  }
  EXPECT_EQ(f8_e4m3_to_float(0x7e), 448.0F);
}

TEST(Safetensors, ElementsAreWidenedExactly) {
  const float floats[] = {1.5F, -0.0F, 1e-40F};
  float out[3];
  widen_elements(SafetensorsType::kF32, reinterpret_cast<const std::byte*>(floats), 3, out);
  EXPECT_EQ(out[2], 1e-40F);
  const std::uint16_t halves[] = {0x3E00, 0xBC00, 0x0001};
  widen_elements(SafetensorsType::kF16, reinterpret_cast<const std::byte*>(halves), 3, out);
  EXPECT_EQ(out[0], 1.5F);
  EXPECT_EQ(out[1], -1.0F);
  EXPECT_EQ(out[2], 0x1p-24F);
  widen_elements(SafetensorsType::kBF16, reinterpret_cast<const std::byte*>(halves), 1, out);
  EXPECT_EQ(out[0], 0.125F);
  const std::uint8_t bytes[] = {0xFF, 0x80, 3};
  widen_elements(SafetensorsType::kI8, reinterpret_cast<const std::byte*>(bytes), 3, out);
  EXPECT_EQ(out[0], -1.0F);
  EXPECT_EQ(out[1], -128.0F);
  widen_elements(SafetensorsType::kU8, reinterpret_cast<const std::byte*>(bytes), 3, out);
  EXPECT_EQ(out[0], 255.0F);
}

// Writes tensors whose bytes count upwards from `seed`.
Status write_counting(const std::string& path, const std::vector<SafetensorsSpec>& specs,
                      unsigned seed) {
  const auto source = [&](std::size_t index, const SafetensorsPart& write) -> Status {
    std::size_t size = safetensors_type_info(specs[index].type).bytes;
    for (const std::uint64_t dim : specs[index].shape) size *= dim;
    for (std::size_t i = 0; i < size; ++i) {
      const auto byte = static_cast<std::byte>(seed + i);
      BANKAI_RETURN_IF_ERROR(write(std::span(&byte, 1)));
    }
    return {};
  };
  return write_safetensors(path, Overwrite::kRefuse, specs, {{"format", "pt"}}, source);
}

TEST(Safetensors, WhatIsWrittenIsReadAgain) {
  const testing::TempDir folder;
  std::vector<SafetensorsSpec> specs;
  for (const SafetensorsTypeInfo& type : kSafetensorsTypes)
    specs.push_back({"t." + std::string(type.name) + "\"\\\n", type.type, {3, 5}});
  specs.push_back({"scalar", SafetensorsType::kF32, {}});
  const std::string path = folder.path("model.safetensors");
  ASSERT_TRUE(write_counting(path, specs, 1).ok());
  const auto set = SafetensorsSet::open(folder.path(""));
  ASSERT_TRUE(set.ok()) << set.error().message;
  for (const SafetensorsSpec& spec : specs) {
    const SafetensorsTensor* tensor = set->find(spec.name);
    ASSERT_NE(tensor, nullptr) << spec.name;
    EXPECT_EQ(tensor->type, spec.type);
    EXPECT_EQ(tensor->shape, spec.shape);
    for (std::size_t i = 0; i < tensor->data.size(); ++i)
      ASSERT_EQ(std::to_integer<unsigned>(tensor->data[i]), 1 + i);
    set->file_of(*tensor).release(tensor->data);
    EXPECT_EQ(std::to_integer<unsigned>(tensor->data[0]), 1U);
  }
  EXPECT_EQ(set->find("absent"), nullptr);
}

TEST(Safetensors, TheWriterRefusesWhatAReaderWould) {
  const SafetensorsSpec metadata{"__metadata__", SafetensorsType::kF32, {}};
  EXPECT_FALSE(safetensors_header(std::vector<SafetensorsSpec>(2), {}).ok());
  EXPECT_FALSE(safetensors_header(std::vector<SafetensorsSpec>{metadata}, {}).ok());
  const SafetensorsSpec huge{"a", SafetensorsType::kF32, {1ULL << 40U, 1ULL << 40U}};
  EXPECT_FALSE(safetensors_header(std::vector<SafetensorsSpec>{huge}, {}).ok());
  const auto header = safetensors_header({}, {});
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(*header, "{}      ");
}

class SafetensorsShards : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<SafetensorsSpec> first = {{"a", SafetensorsType::kF32, {2}},
                                                {"c", SafetensorsType::kU8, {4}}};
    const std::vector<SafetensorsSpec> second = {{"b", SafetensorsType::kF16, {2, 2}},
                                                 {"c", SafetensorsType::kU8, {4}}};
    ASSERT_TRUE(write_counting(folder_.path("1.safetensors"), first, 10).ok());
    ASSERT_TRUE(write_counting(folder_.path("2.safetensors"), second, 90).ok());
  }
  std::string open_with(const std::string& index) {
    const std::string path = folder_.path("model.safetensors.index.json");
    EXPECT_TRUE(write_file(path, index, Overwrite::kReplace).ok());
    auto set = SafetensorsSet::open(folder_.path(""));
    if (!set.ok()) return set.error().message;
    set_.emplace(std::move(set).value());
    return "";
  }
  testing::TempDir folder_;
  std::optional<SafetensorsSet> set_;
};

TEST_F(SafetensorsShards, AreOneSetWithTheIndexAsJudge) {
  EXPECT_EQ(open_with(R"({"metadata":{"total_size":20,"x":[{"y":[1.5,null,true,"z",-1]}]},)"
                      R"("weight_map":{"a":"1.safetensors","b":"2.safetensors",)"
                      R"("c":"2.safetensors"}})"),
            "");
  std::string names;
  for (const SafetensorsTensor* tensor : set_->tensors()) names += tensor->name;
  EXPECT_EQ(names, "abc");
  EXPECT_EQ(std::to_integer<unsigned>(set_->find("c")->data[0]), 90U);
  EXPECT_EQ(set_->file_of(*set_->find("c")).path(), folder_.path("2.safetensors"));
  EXPECT_EQ(set_->file_of(*set_->find("a")).path(), folder_.path("1.safetensors"));
}

TEST_F(SafetensorsShards, BadIndexesAreRefusedWithTheirReason) {
  std::string deep = R"({"x":)" + std::string(100'000, '[');
  const std::pair<std::string, const char*> cases[] = {
      {"", "not valid JSON"},
      {"[]", "'weight_map' is missing"},
      {"{}", "'weight_map' is missing"},
      {R"({"weight_map":[]})", "'weight_map' is missing"},
      {R"({"metadata":{"weight_map":{"a":"1.safetensors"}}})", "'weight_map' is missing"},
      {R"({"weight_map":{"a":1}})", "a number for 'a', expected the name of a file"},
      {R"({"weight_map":{"a":{}}})", "an object for 'a'"},
      {R"({"weight_map":{"a":"1.safetensors","a":"1.safetensors"}})", "'a' stands twice"},
      {R"({"weight_map":{},"weight_map":{}})", "'weight_map' stands twice"},
      {R"({"weight_map":{"a":"../1.safetensors"}})", "expected a file name without folders"},
      {R"({"weight_map":{"a":"/etc/passwd"}})", "expected a file name without folders"},
      {R"({"weight_map":{"a":""}})", "expected a file name without folders"},
      {R"({"weight_map":{"a":".."}})", "expected a file name without folders"},
      {R"({"weight_map":{"a":"1\u0000x"}})", "expected a file name without folders"},
      {R"({"weight_map":{"a":"3.safetensors"}})", "3.safetensors"},
      {R"({"weight_map":{"b":"1.safetensors"}})", "tensor 'b' is missing"},
      {deep, "nested deeper than 16"},
  };
  for (const auto& [index, message] : cases) {
    const std::string said = open_with(index);
    EXPECT_NE(said.find(message), std::string::npos) << index.substr(0, 80) << "\n  said: " << said;
  }
}

TEST_F(SafetensorsShards, AFolderWithoutEitherIsRefused) {
  const auto set = SafetensorsSet::open(folder_.path(""));
  ASSERT_FALSE(set.ok());
  EXPECT_NE(set.error().message.find("has neither model.safetensors nor"), std::string::npos);
}

}  // namespace
}  // namespace bankai::model
