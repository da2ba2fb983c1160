#include "model/gguf_writer.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "model/gguf_file.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

using bankai::testing::TempDir;
using kernels::TensorType;

// The bytes 1, 2, 3, …, as the reference builder gives its tensors.
Status write_counting(GgufTensorSink& sink) {
  for (unsigned next = 1; sink.remaining() > 0; ++next) {
    const std::byte byte = static_cast<std::byte>(next);
    BANKAI_RETURN_IF_ERROR(sink.write(std::span(&byte, 1)));
  }
  return {};
}

// What testing::small_gguf() holds, said to our own writer.
GgufBuilder small_builder() {
  GgufBuilder builder;
  builder.add_string("general.architecture", "qwen3");
  builder.add<std::uint8_t>("t.u8", 200);
  builder.add<std::int8_t>("t.i8", -100);
  builder.add<std::uint16_t>("t.u16", 60000);
  builder.add<std::int16_t>("t.i16", -30000);
  builder.add<std::uint32_t>("t.u32", 4000000000U);
  builder.add<std::int32_t>("t.i32", -2000000000);
  builder.add<float>("t.f32", 1.5F);
  builder.add<bool>("t.bool", true);
  builder.add<std::uint64_t>("t.u64", std::uint64_t{1} << 63U);
  builder.add<std::int64_t>("t.i64", -(std::int64_t{1} << 40U));
  builder.add<double>("t.f64", -0.25);
  builder.add_strings("t.strings", std::vector<std::string>{"", "a", "two words"});
  builder.add_array<float>("t.empty", {});
  builder.add_array<std::int32_t>("t.integers", std::array<std::int32_t, 3>{3, -1, 7});
  builder.add_tensor({"matrix.weight", TensorType::kQ1_0, {128, 3}});
  builder.add_tensor({"norm.weight", TensorType::kF32, {5}});
  builder.add_tensor({"half.weight", TensorType::kF16, {3, 2}});
  builder.add_tensor({"brain.weight", TensorType::kBF16, {2, 1, 2}});
  builder.add_tensor({"trits.weight", TensorType::kTQ1_0, {256}});
  builder.add_tensor({"ternary.weight", TensorType::kTQ2_0, {256}});
  builder.add_tensor({"scaled.weight", TensorType::kI2_S, {128}});
  builder.add_tensor({"pairs.weight", TensorType::kQ2_0, {64, 18}});
  builder.add_tensor({"wide.weight", TensorType::kPQ2_0, {128}});
  builder.add_tensor({"bytes.weight", TensorType::kQ8_0, {32, 1, 1, 2}});
  return builder;
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(GgufWriter, WritesTheSameBytesAsTheReferenceBuilder) {
  const TempDir folder;
  const std::string path = folder.path("small.gguf");
  const auto source = [](std::size_t, GgufTensorSink& sink) { return write_counting(sink); };
  ASSERT_TRUE(small_builder().write(path, Overwrite::kRefuse, source).ok());
  EXPECT_EQ(*read_file(path), text_of(bankai::testing::small_gguf().build()));
  // The file is there, and stays.
  EXPECT_EQ(small_builder().write(path, Overwrite::kRefuse, source).error().code,
            ErrorCode::kUsage);
}

TEST(GgufWriter, AnAlignmentKeyIsObeyed) {
  const TempDir folder;
  GgufBuilder builder(2);
  builder.add<std::uint32_t>("general.alignment", 256);
  builder.add_tensor({"a", TensorType::kF32, {1}});
  builder.add_tensor({"b", TensorType::kF32, {1}});
  const std::string path = folder.path("f.gguf");
  ASSERT_TRUE(builder
                  .write(path, Overwrite::kRefuse,
                         [](std::size_t, GgufTensorSink& sink) { return write_counting(sink); })
                  .ok());
  const auto file = GgufFile::open(path);
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->version(), 2U);
  EXPECT_EQ(file->tensors()[1].offset, file->tensors()[0].offset + 256);
  EXPECT_EQ(file->bytes().size(), 768U);
}

TEST(GgufWriter, FailuresLeaveNoFile) {
  const TempDir folder;
  const std::string path = folder.path("f.gguf");
  const auto expect_failure = [&](const GgufBuilder::TensorSource& source, ErrorCode code) {
    const Status status = small_builder().write(path, Overwrite::kRefuse, source);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, code) << status.error().message;
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_TRUE(std::filesystem::is_empty(std::filesystem::path(path).parent_path()));
  };
  expect_failure([](std::size_t, GgufTensorSink&) { return Status(); }, ErrorCode::kInternal);
  expect_failure(
      [](std::size_t, GgufTensorSink& sink) {
        return sink.write(std::vector<std::byte>(static_cast<std::size_t>(sink.remaining()) + 1));
      },
      ErrorCode::kInternal);
  expect_failure(
      [](std::size_t i, GgufTensorSink& sink) {
        return i < 3 ? write_counting(sink) : Status(Error{ErrorCode::kStopped, "enough"});
      },
      ErrorCode::kStopped);
}

TEST(GgufWriter, RefusesWhatAReaderWould) {
  const auto error_of = [](const GgufBuilder& builder) {
    const auto header = builder.header();
    return header.ok() ? std::string("accepted") : header.error().message;
  };
  const auto with_tensor = [&](GgufTensorSpec spec) {
    GgufBuilder builder;
    builder.add_tensor({"first", TensorType::kF32, {4}});
    builder.add_tensor(std::move(spec));
    return error_of(builder);
  };
  EXPECT_EQ(with_tensor({"second", TensorType::kF32, {4}}), "accepted");
  EXPECT_EQ(with_tensor({"first", TensorType::kF32, {4}}), "tensor 'first': added twice");
  EXPECT_EQ(with_tensor({"", TensorType::kF32, {4}}), "tensor '': the name is empty");
  EXPECT_NE(with_tensor({std::string(65, 'n'), TensorType::kF32, {4}}), "accepted");
  EXPECT_NE(with_tensor({"t", TensorType::kF32, {}}), "accepted");
  EXPECT_NE(with_tensor({"t", TensorType::kF32, {0}}), "accepted");
  EXPECT_NE(with_tensor({"t", TensorType::kQ1_0, {64}}), "accepted");
  EXPECT_NE(with_tensor({"t", TensorType::kF32, {1U << 30U, 1U << 30U}}), "accepted");
  GgufBuilder twice;
  twice.add<std::uint32_t>("k", 1);
  twice.add_string("k", "x");
  EXPECT_NE(error_of(twice).find("key 'k' appears twice"), std::string::npos);
  GgufBuilder empty_key;
  empty_key.add<bool>("", true);
  EXPECT_NE(error_of(empty_key).find("is empty"), std::string::npos);
  GgufBuilder alignment;
  alignment.add<std::uint32_t>("general.alignment", 24);
  EXPECT_NE(error_of(alignment).find("power of two"), std::string::npos);
}

TEST(GgufWriter, RandomHeadersReadBackEqual) {
  // Sizes that fall before, on and after block and alignment borders.
  for (std::uint64_t n = 1; n < 40; ++n) {
    GgufBuilder builder;
    builder.add_string("name", std::string(n, 'x'));
    builder.add_tensor({"a", TensorType::kF16, {n}});
    builder.add_tensor({"b", TensorType::kQ1_0, {128 * n, n}});
    builder.add_tensor({"c", TensorType::kQ8_0, {32, n, 2}});
    auto bytes = builder.header();
    ASSERT_TRUE(bytes.ok());
    EXPECT_EQ(bytes->size() % 32, 0U);
    const std::size_t header_bytes = bytes->size();
    const auto padded = [](std::uint64_t size) { return (size + 31) / 32 * 32; };
    bytes->resize(header_bytes + padded(2 * n) + padded(18 * n * n) + padded(68 * n));
    const auto file = GgufFile::parse(*bytes, "f");
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_EQ(file->data_offset(), header_bytes);
    EXPECT_EQ(file->tensors()[1].dims, (std::vector<std::uint64_t>{128 * n, n}));
    // Said again from what was read, it gives the same bytes.
    GgufBuilder again;
    for (const GgufValue& value : file->metadata()) again.add_value(value);
    for (const GgufTensor& tensor : file->tensors())
      again.add_tensor({std::string(tensor.name), tensor.type, tensor.dims});
    bytes->resize(header_bytes);
    EXPECT_EQ(*again.header(), *bytes);
  }
}

}  // namespace
}  // namespace bankai::model
