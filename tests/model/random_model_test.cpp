#include "model/random_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/bit_matrix.h"
#include "core/mapped_file.h"
#include "kernels/half.h"
#include "model/gguf_file.h"
#include "model/model.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

using bankai::testing::TempDir;
using kernels::TensorType;

constexpr ModelShape kTiny = {"tiny", 2, 256, 384, 4, 2, 64, 1000, false, 512, 1e4F, 2.0F, 256};

std::string write_tiny(const TempDir& folder, std::uint64_t seed) {
  const std::string path = folder.path("tiny-" + std::to_string(seed) + ".gguf");
  const Status status =
      write_random_model(kTiny, TensorType::kQ1_0, seed, path, Overwrite::kReplace, nullptr);
  EXPECT_TRUE(status.ok()) << status.error().message;
  return path;
}

TEST(RandomModel, HasTheTensorsAndNumbersOfItsShape) {
  const TempDir folder;
  const auto file = GgufFile::open(write_tiny(folder, 1));
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->tensors().size(), 3U + 2U * 11U);
  EXPECT_EQ(*file->get_unsigned("qwen3.block_count"), 2U);
  EXPECT_EQ(*file->get_unsigned("qwen3.attention.key_length"), 64U);
  EXPECT_EQ(*file->get_string("qwen3.rope.scaling.type"), "yarn");
  EXPECT_EQ(*file->get_unsigned("qwen3.rope.scaling.original_context_length"), 256U);
  const auto dims = [&](const char* name) { return file->find_tensor(name)->dims; };
  EXPECT_EQ(dims("token_embd.weight"), (std::vector<std::uint64_t>{256, 1000}));
  EXPECT_EQ(dims("output.weight"), (std::vector<std::uint64_t>{256, 1000}));
  EXPECT_EQ(dims("blk.1.attn_k.weight"), (std::vector<std::uint64_t>{256, 128}));
  EXPECT_EQ(dims("blk.1.attn_output.weight"), (std::vector<std::uint64_t>{256, 256}));
  EXPECT_EQ(dims("blk.0.ffn_down.weight"), (std::vector<std::uint64_t>{384, 256}));
  EXPECT_EQ(dims("blk.0.attn_q_norm.weight"), (std::vector<std::uint64_t>{64}));
}

TEST(RandomModel, WeightsAreBalancedAndScaledToTheirWidth) {
  const TempDir folder;
  const auto file = GgufFile::open(write_tiny(folder, 1));
  ASSERT_TRUE(file.ok());
  for (const GgufTensor& tensor : file->tensors()) {
    if (tensor.type != TensorType::kQ1_0) {
      for (std::size_t i = 0; i < tensor.cols(); ++i) {
        float weight = 0.0F;
        std::memcpy(&weight, &tensor.data[4 * i], sizeof weight);
        EXPECT_NEAR(weight, 1.0F, 0.051F);
      }
      continue;
    }
    const auto matrix = BitMatrixView::from_q1_0(tensor.data.data(), tensor.rows(), tensor.cols());
    std::size_t ones = 0;
    for (std::size_t row = 0; row < tensor.rows(); ++row) {
      for (std::size_t col = 0; col < tensor.cols(); ++col) ones += matrix.bit(row, col) ? 1U : 0U;
      std::uint16_t half = 0;
      std::memcpy(&half, matrix.group_scale(row, 0), sizeof half);
      const double relative = static_cast<double>(kernels::f16_to_float(half)) *
                              std::sqrt(static_cast<double>(tensor.cols()));
      EXPECT_GT(relative, 0.74);
      EXPECT_LT(relative, 1.26);
    }
    const double count = static_cast<double>(tensor.rows() * tensor.cols());
    // Six standard deviations of a fair coin.
    EXPECT_NEAR(static_cast<double>(ones), count / 2, 3 * std::sqrt(count)) << tensor.name;
  }
}

// Mean and root mean square of all weights of a tensor, in units of 1 / sqrt(columns).
std::pair<double, double> mean_and_size(const GgufTensor& tensor) {
  const kernels::TensorTypeInfo& type = kernels::tensor_type_info(tensor.type);
  const kernels::WeightRows rows{
      tensor.type, reinterpret_cast<const std::uint8_t*>(tensor.data.data()), tensor.rows(),
      tensor.cols(), tensor.cols() / type.block_weights * type.block_bytes};
  std::vector<float> row(tensor.cols());
  double sum = 0.0;
  double squares = 0.0;
  for (std::size_t i = 0; i < tensor.rows(); ++i) {
    kernels::widen_row(rows, i, row.data());
    for (const float weight : row) {
      sum += static_cast<double>(weight);
      squares += static_cast<double>(weight) * static_cast<double>(weight);
    }
  }
  const double count = static_cast<double>(tensor.rows() * tensor.cols());
  const double unit = std::sqrt(static_cast<double>(tensor.cols()));
  return {sum / count * unit, std::sqrt(squares / count) * unit};
}

TEST(RandomModel, WeightsOfAllTypesKeepTheSizeOfActivations) {
  const TempDir folder;
  ModelShape shape = kTiny;
  shape.feed_forward = 512;
  for (const TensorType type : random_weight_types()) {
    const std::string path = folder.path(kernels::tensor_type_info(type).name.data());
    ASSERT_TRUE(write_random_model(shape, type, 1, path, Overwrite::kRefuse, nullptr).ok());
    const auto model = Model::load(path);
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_EQ((*model)->layer(1).down.weights.type, type);
    for (const GgufTensor& tensor : (*model)->file().tensors()) {
      if (tensor.dims.size() == 1) continue;
      const auto [mean, size] = mean_and_size(tensor);
      EXPECT_NEAR(mean, 0.0, 0.05) << path << " " << tensor.name;
      EXPECT_NEAR(size, 1.01, 0.04) << path << " " << tensor.name;
    }
  }
}

TEST(RandomModel, EveryArchitectureLoads) {
  const TempDir folder;
  for (const Architecture& architecture : kArchitectures) {
    ModelShape shape = kTiny;
    shape.architecture = architecture.name;
    const std::string path = folder.path(std::string(architecture.name));
    ASSERT_TRUE(
        write_random_model(shape, TensorType::kPQ2_0, 1, path, Overwrite::kRefuse, nullptr).ok());
    const auto model = Model::load(path);
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_EQ((*model)->parameters().architecture, architecture.name);
    EXPECT_EQ((*model)->layer(0).query_norm.empty(), !architecture.has_qk_norm);
    EXPECT_EQ((*model)->layer(0).ffn_sub_norm.size(), architecture.has_sub_norms ? 384U : 0U);
    EXPECT_EQ((*model)->parameters().rope.factor, 2.0);
  }
}

TEST(RandomModel, IsAFunctionOfTheSeed) {
  const TempDir folder;
  const std::string one = *read_file(write_tiny(folder, 1));
  EXPECT_EQ(*read_file(write_tiny(folder, 1)), one);
  EXPECT_NE(*read_file(write_tiny(folder, 2)), one);
}

TEST(RandomModel, ReportsProgressUpToTheEnd) {
  const TempDir folder;
  std::uint64_t last = 0;
  std::uint64_t end = 1;
  const auto progress = [&](std::uint64_t written, std::uint64_t total) {
    EXPECT_GT(written, last);
    last = written;
    end = total;
  };
  ASSERT_TRUE(write_random_model(kTiny, TensorType::kQ1_0, 1, folder.path("f"), Overwrite::kRefuse,
                                 progress)
                  .ok());
  EXPECT_EQ(last, end);
}

TEST(RandomModel, RefusesShapesThatCannotBe) {
  const TempDir folder;
  TensorType type = TensorType::kQ1_0;
  const auto code_of = [&](auto change) {
    ModelShape shape = kTiny;
    change(shape);
    const Status status =
        write_random_model(shape, type, 1, folder.path("f"), Overwrite::kReplace, nullptr);
    return status.ok() ? ErrorCode{} : status.error().code;
  };
  EXPECT_EQ(code_of([](ModelShape&) {}), ErrorCode{});
  EXPECT_EQ(code_of([](ModelShape& s) { s.embedding = 200; }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](ModelShape& s) { s.feed_forward = 0; }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](ModelShape& s) { s.head_dim = 16; }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](ModelShape& s) { s.num_layers = 0; }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](ModelShape& s) { s.num_kv_heads = 3; }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](ModelShape& s) { s.num_kv_heads = 0; }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](ModelShape& s) { s.vocabulary = 257; }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](ModelShape& s) { s.architecture = "gptj"; }), ErrorCode::kUsage);
  type = TensorType::kTQ1_0;  // 384 is no whole number of its blocks
  EXPECT_EQ(code_of([](ModelShape&) {}), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](ModelShape& s) { s.feed_forward = 512; }), ErrorCode{});
  type = TensorType::kF16;
  EXPECT_EQ(code_of([](ModelShape&) {}), ErrorCode::kUsage);
}

TEST(RandomModel, KnownShapesHaveThePublishedSizes) {
  // Bytes of all Q1_0 matrices of the published models: 18 for every 128 weights.
  const std::pair<const char*, std::uint64_t> published[] = {
      {"1.7b", 241861536}, {"4b", 565535880}, {"8b", 1151471232}};
  for (const auto& [name, bytes] : published) {
    const ModelShape* s = find_shape(name);
    ASSERT_NE(s, nullptr) << name;
    const std::uint64_t query = std::uint64_t{s->num_heads} * s->head_dim;
    const std::uint64_t kv = std::uint64_t{s->num_kv_heads} * s->head_dim;
    const std::uint64_t layer = s->embedding * (2 * query + 2 * kv + 3 * s->feed_forward);
    const std::uint64_t table = std::uint64_t{s->embedding} * s->vocabulary;
    EXPECT_EQ((s->num_layers * layer + (s->tied ? 1 : 2) * table) / 128 * 18, bytes) << name;
  }
  EXPECT_EQ(model_shapes().size(), 4U);
  EXPECT_NE(find_shape("0.6b"), nullptr);
  EXPECT_EQ(find_shape("7b"), nullptr);
}

TEST(RandomModel, LoadsAsAModelWithAWorkingTokenizer) {
  const TempDir folder;
  const auto model = Model::load(write_tiny(folder, 1));
  ASSERT_TRUE(model.ok()) << model.error().message;
  const Tokenizer& tokenizer = (*model)->tokenizer();
  EXPECT_EQ(tokenizer.vocabulary_size(), 1000U);
  EXPECT_EQ(tokenizer.eos(), 999);
  const std::string text = "Some text,\n\twith 12 numbers and bytes: \xc3\xa9\xff.";
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
}

}  // namespace
}  // namespace bankai::model
