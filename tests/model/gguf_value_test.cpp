#include "model/gguf_value.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/model/gguf_checks.h"
#include "tests/support/gguf_builder.h"

namespace bankai::model {
namespace {

using bankai::testing::GgufImage;

class GgufValueTest : public ::testing::Test {
 protected:
  const GgufValue& value(const char* key) const { return *file_.find_value(key); }

  const std::vector<std::byte> bytes_ = bankai::testing::small_gguf().build();
  const GgufFile file_ = GgufFile::parse(bytes_, "small.gguf").value();
};

template <typename T>
void expect_error(const Result<T>& result, const std::string& message) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kBadInput);
  EXPECT_EQ(result.error().message, message);
}

TEST_F(GgufValueTest, IntegersOfAllTypes) {
  EXPECT_EQ(*value("t.u8").as_unsigned(), 200U);
  EXPECT_EQ(*value("t.u16").as_unsigned(), 60000U);
  EXPECT_EQ(*value("t.u32").as_unsigned(), 4000000000U);
  EXPECT_EQ(*value("t.u64").as_unsigned(), std::uint64_t{1} << 63U);
  for (const char* key : {"t.i8", "t.i16", "t.i32", "t.i64"})
    EXPECT_FALSE(value(key).as_unsigned().ok()) << key;
}

TEST_F(GgufValueTest, FloatsOfAllTypes) {
  EXPECT_EQ(*value("t.f32").as_float(), 1.5);
  EXPECT_EQ(*value("t.f64").as_float(), -0.25);
  EXPECT_EQ(*value("t.i8").as_float(), -100.0);
  EXPECT_EQ(*value("t.i16").as_float(), -30000.0);
  EXPECT_EQ(*value("t.i32").as_float(), -2e9);
  EXPECT_EQ(*value("t.i64").as_float(), -0x1p40);
  EXPECT_EQ(*value("t.u64").as_float(), 0x1p63);
}

TEST_F(GgufValueTest, OtherTypes) {
  EXPECT_EQ(*value("t.bool").as_bool(), true);
  EXPECT_EQ(*value("general.architecture").as_string(), "qwen3");
  EXPECT_EQ(*value("t.strings").as_strings(),
            (std::vector<std::string_view>{"", "a", "two words"}));
  EXPECT_EQ(*value("t.integers").as_integers(), (std::vector<std::int64_t>{3, -1, 7}));
  EXPECT_EQ(*value("t.integers").as_floats(), (std::vector<double>{3, -1, 7}));
  EXPECT_TRUE(value("t.empty").as_floats()->empty());
}

TEST_F(GgufValueTest, EveryWrongTypeIsAnError) {
  for (const GgufValue& v : file_.metadata()) {
    const std::string key(v.key);
    const bool is_array = v.type == GgufType::kArray;
    EXPECT_EQ(v.as_bool().ok(), key == "t.bool") << key;
    EXPECT_EQ(v.as_string().ok(), key == "general.architecture") << key;
    EXPECT_EQ(v.as_strings().ok(), key == "t.strings") << key;
    EXPECT_EQ(v.as_integers().ok(), key == "t.integers") << key;
    EXPECT_EQ(v.as_floats().ok(), key == "t.integers" || key == "t.empty") << key;
    EXPECT_EQ(v.as_float().ok(), !is_array && !v.as_bool().ok() && !v.as_string().ok()) << key;
  }
}

TEST_F(GgufValueTest, ErrorsSayWhatWasFoundAndExpected) {
  const auto at = [this](const char* key) {
    return " at offset " + std::to_string(value(key).offset) + " holds ";
  };
  expect_error(value("t.i8").as_unsigned(),
               "key 't.i8'" + at("t.i8") + "-100, expected a non-negative integer");
  expect_error(value("t.f32").as_unsigned(),
               "key 't.f32'" + at("t.f32") + "f32, expected a non-negative integer");
  expect_error(value("t.strings").as_string(),
               "key 't.strings'" + at("t.strings") + "array of string, expected a string");
  expect_error(value("t.bool").as_float(),
               "key 't.bool'" + at("t.bool") + "bool, expected a number");
}

TEST(GgufValue, UnsignedArraysMustFitSignedNumbers) {
  ByteWriter elements;
  elements.write(std::uint64_t{1});
  elements.write(~std::uint64_t{0});
  const auto bytes = GgufImage().array("k", bankai::testing::kGgufU64, 2, elements.bytes()).build();
  const auto file = GgufFile::parse(bytes, "f");
  ASSERT_TRUE(file.ok());
  EXPECT_FALSE(file->find_value("k")->as_integers().ok());
  EXPECT_EQ(file->find_value("k")->as_floats()->at(1), 0x1p64);
}

TEST(GgufValue, EveryArrayElementTypeIsDecoded) {
  for (std::uint32_t type = 0; type < kGgufTypes.size(); ++type) {
    const std::size_t size = kGgufTypes[type].bytes;
    if (size == 0) continue;
    std::vector<std::byte> elements(3 * size);
    if (type != bankai::testing::kGgufF32 && type != bankai::testing::kGgufF64)
      elements[size] = std::byte{1};  // little-endian: 0, 1, 0
    const auto bytes = GgufImage().array("k", type, 3, elements).build();
    const auto file = GgufFile::parse(bytes, "f");
    ASSERT_TRUE(file.ok()) << file.error().message;
    const GgufValue& value = *file->find_value("k");
    EXPECT_EQ(value.count, 3U);
    const bool is_bool = type == bankai::testing::kGgufBool;
    EXPECT_EQ(value.as_floats().ok(), !is_bool) << type;
    if (const auto numbers = value.as_integers(); numbers.ok()) {
      EXPECT_EQ(*numbers, (std::vector<std::int64_t>{0, 1, 0})) << type;
    }
  }
}

}  // namespace
}  // namespace bankai::model
