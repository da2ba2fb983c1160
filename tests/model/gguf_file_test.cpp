#include "model/gguf_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/atomic_file.h"
#include "tests/model/gguf_checks.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

using bankai::testing::GgufImage;
using bankai::testing::TempDir;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string demo_model() {
  const std::string own = bankai::testing::data_path("demo/bankai-demo-5m.gguf");
  if (std::filesystem::exists(own)) return own;
  return bankai::testing::reference_data_path("demo/bankai-demo-5m.gguf");
}

TEST(GgufFile, HoldsWhatTheFileSays) {
  const auto bytes = bankai::testing::small_gguf().build();
  const auto file = GgufFile::parse(bytes, "small.gguf");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->path(), "small.gguf");
  EXPECT_EQ(file->version(), 3U);
  EXPECT_EQ(file->alignment(), 32U);
  EXPECT_EQ(file->data_offset() % 32, 0U);
  EXPECT_EQ(file->metadata().size(), 15U);
  EXPECT_EQ(file->metadata()[0].key, "general.architecture");
  ASSERT_EQ(file->tensors().size(), kernels::kTensorTypes.size());
  const GgufTensor* matrix = file->find_tensor("matrix.weight");
  ASSERT_NE(matrix, nullptr);
  EXPECT_EQ(matrix->type, kernels::TensorType::kQ1_0);
  EXPECT_EQ(matrix->dims, (std::vector<std::uint64_t>{128, 3}));
  EXPECT_EQ(matrix->offset, file->data_offset());
  ASSERT_EQ(matrix->data.size(), 54U);
  EXPECT_EQ(matrix->data[0], std::byte{1});
  EXPECT_EQ(matrix->data[53], std::byte{54});
  const GgufTensor* norm = file->find_tensor("norm.weight");
  EXPECT_EQ(norm->offset, file->data_offset() + 64);
  EXPECT_EQ(norm->cols(), 5U);
  EXPECT_EQ(norm->rows(), 1U);
  EXPECT_EQ(file->find_tensor("norm"), nullptr);
  EXPECT_EQ(file->find_value("t"), nullptr);
}

TEST(GgufFile, TypedLookUps) {
  const auto bytes = bankai::testing::small_gguf().build();
  const auto file = GgufFile::parse(bytes, "small.gguf");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(*file->get_unsigned("t.u16"), 60000U);
  EXPECT_EQ(*file->get_float("t.f32"), 1.5);
  EXPECT_EQ(*file->get_bool("t.bool"), true);
  EXPECT_EQ(*file->get_string("general.architecture"), "qwen3");
  EXPECT_EQ(*file->get_unsigned("none", 7), 7U);
  EXPECT_EQ(*file->get_float("none", 0.5), 0.5);
  EXPECT_EQ(*file->get_bool("none", false), false);
  EXPECT_EQ(*file->get_string("none", "x"), "x");
  EXPECT_EQ(file->get_string("none").error().message, "small.gguf: key 'none' is missing");
  EXPECT_EQ(file->get_string("none").error().code, ErrorCode::kBadInput);
  // A fallback stands for an absent key, not for one of another type.
  const auto wrong = file->get_unsigned("t.f32", 7);
  ASSERT_FALSE(wrong.ok());
  EXPECT_TRUE(wrong.error().message.starts_with("small.gguf: key 't.f32'"));
}

TEST(GgufFile, AnEmptyModelIsAFile) {
  const auto bytes = GgufImage().build();
  const auto file = GgufFile::parse(bytes, "f");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->data_offset(), 24U);
  EXPECT_TRUE(file->tensors().empty());
}

TEST(GgufFile, MetadataWithoutTensorsMayBePadded) {
  auto bytes = GgufImage().u32("k", 1).build();
  bytes.resize(64);
  const auto file = GgufFile::parse(bytes, "f");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->data_offset(), 64U);
}

TEST(GgufFile, OpensFilesAndOutlivesAMove) {
  const TempDir folder;
  const auto bytes = bankai::testing::small_gguf().build();
  const std::string path = folder.path("small.gguf");
  ASSERT_TRUE(write_file(path, as_text(bytes), Overwrite::kRefuse).ok());
  auto opened = GgufFile::open(path);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  const GgufFile file = std::move(opened).value();
  EXPECT_EQ(file.find_tensor("matrix.weight")->data[0], std::byte{1});
  EXPECT_EQ(*file.get_string("general.architecture"), "qwen3");
  EXPECT_EQ(as_text(file.bytes()), as_text(bytes));
}

TEST(GgufFile, PathsThatCannotBeOpened) {
  const TempDir folder;
  for (const char* name : {"absent.gguf", ""}) {
    const auto file = GgufFile::open(folder.path(name));
    ASSERT_FALSE(file.ok());
    EXPECT_EQ(file.error().code, ErrorCode::kIo);
    EXPECT_TRUE(file.error().message.starts_with(folder.path(name))) << file.error().message;
  }
}

TEST(GgufFile, TheDemoModel) {
  const std::string path = demo_model();
  if (path.empty()) GTEST_SKIP() << "the demo model is not here";
  const auto file = GgufFile::open(path);
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->bytes().size(), 786528U);
  EXPECT_EQ(file->tensors().size(), 69U);
  EXPECT_EQ(*file->get_unsigned("qwen3.block_count"), 6U);
  std::size_t weights = 0;
  for (const GgufTensor& tensor : file->tensors())
    if (tensor.type == kernels::TensorType::kQ1_0) weights += tensor.rows() * tensor.cols();
  EXPECT_EQ(weights, 5242880U);
  walk(*file);
}

TEST(GgufFile, VocabulariesInCirculation) {
  if (bankai::testing::reference_data_path("tokenizer").empty())
    GTEST_SKIP() << "the reference vocabularies are not here";
  const std::pair<const char*, std::size_t> sizes[] = {
      {"gpt-2", 50257}, {"llama-bpe", 128256}, {"qwen2", 151936}};
  for (const auto& [name, num_tokens] : sizes) {
    const auto file = GgufFile::open(bankai::testing::reference_data_path(
        "tokenizer/ggml-vocab-" + std::string(name) + ".gguf"));
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_TRUE(file->tensors().empty());
    EXPECT_EQ(file->find_value("tokenizer.ggml.tokens")->as_strings()->size(), num_tokens);
    walk(*file);
  }
}

}  // namespace
}  // namespace bankai::model
