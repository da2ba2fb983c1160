#include "model/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "model/tensor_names.h"
#include "tests/model/forward_checks.h"
#include "tests/support/small_model.h"

namespace bankai::model {
namespace {

using bankai::testing::demo_model;
using bankai::testing::make_small_model;
using bankai::testing::random_tokens;
using bankai::testing::SmallShape;
using kernels::TensorType;
using Specs = std::vector<GgufTensorSpec>;

Error load_error(const SmallShape& shape) {
  const std::vector<std::byte> bytes = bankai::testing::small_model_bytes(shape);
  auto file = GgufFile::parse(bytes, "small.gguf");
  EXPECT_TRUE(file.ok());
  const auto model = Model::from_file(std::move(file).value());
  EXPECT_FALSE(model.ok()) << shape.name;
  return model.ok() ? Error() : model.error();
}

Error error_with_tensors(const std::function<void(Specs&)>& change) {
  SmallShape shape;
  shape.change_tensors = change;
  return load_error(shape);
}

TEST(Model, DescribesTheDemoModel) {
  const Model& model = demo_model();
  EXPECT_EQ(model.parameters().num_layers, 6U);
  EXPECT_EQ(model.parameters().vocabulary, 1024U);
  EXPECT_FALSE(model.is_tied());
  EXPECT_EQ(model.tokenizer().vocabulary_size(), 1024U);
  const std::vector<TensorAddress> addresses = model.bit_matrix_addresses();
  EXPECT_EQ(addresses.size(), 6U * 7U + 2U);
  EXPECT_TRUE(std::is_sorted(addresses.begin(), addresses.end()));
}

TEST(Model, FindsEveryMatrixByItsAddress) {
  const Model& model = demo_model();
  for (const ProjectionNames& names : kProjections) {
    const TensorAddress address{0, names.projection};
    const WeightMatrix* matrix = model.find_matrix(address);
    ASSERT_NE(matrix, nullptr) << names.short_name;
    EXPECT_EQ(matrix->address, address);
    const GgufTensor* tensor = model.file().find_tensor(gguf_tensor_name(address));
    EXPECT_EQ(static_cast<const void*>(matrix->weights.data),
              static_cast<const void*>(tensor->data.data()));
    EXPECT_EQ(matrix->weights.rows, tensor->rows());
    EXPECT_EQ(matrix->weights.cols, tensor->cols());
    EXPECT_TRUE(model.bit_matrix(address).has_value());
  }
  EXPECT_EQ(model.find_matrix({6, Projection::kGate}), nullptr);
  EXPECT_EQ(model.find_matrix({1, Projection::kEmbedding}), nullptr);
  EXPECT_EQ(model.find_matrix({1, Projection::kHead}), nullptr);
}

TEST(Model, ATiedModelHasNoHeadOfItsOwn) {
  SmallShape shape;
  shape.tied = true;
  const auto model = make_small_model(shape);
  EXPECT_TRUE(model->is_tied());
  EXPECT_EQ(&model->head(), &model->embedding());
  EXPECT_EQ(model->find_matrix({0, Projection::kHead}), nullptr);
}

TEST(Model, OnlyOneBitMatricesHaveBits) {
  SmallShape shape;
  shape.num_layers = 1;
  shape.types = {TensorType::kF32, TensorType::kQ8_0, TensorType::kQ1_0};  // embed, head, q, k …
  const auto model = make_small_model(shape);
  EXPECT_FALSE(model->bit_matrix({0, Projection::kEmbedding}).has_value());
  EXPECT_FALSE(model->bit_matrix({0, Projection::kHead}).has_value());
  EXPECT_EQ(model->bit_matrix_addresses(),
            (std::vector<TensorAddress>{
                {0, Projection::kDown}, {0, Projection::kQuery}, {0, Projection::kOutput}}));
  EXPECT_FALSE(model->bit_matrix({7, Projection::kGate}).has_value());
}

TEST(Model, AFusedTensorIsItsThreeParts) {
  SmallShape shape;
  shape.fused_qkv = true;
  const auto model = make_small_model(shape);
  const Hyperparameters& h = model->parameters();
  const GgufTensor* fused = model->file().find_tensor("blk.1.attn_qkv.weight");
  const LayerWeights& layer = model->layer(1);
  const auto* data = reinterpret_cast<const std::uint8_t*>(fused->data.data());
  const std::size_t row_bytes = layer.query.weights.row_bytes;
  EXPECT_EQ(layer.query.weights.data, data);
  EXPECT_EQ(layer.key.weights.data, data + h.query_dim() * row_bytes);
  EXPECT_EQ(layer.value.weights.data, data + (h.query_dim() + h.kv_dim()) * row_bytes);
  EXPECT_EQ(layer.value.weights.rows, h.kv_dim());
  EXPECT_EQ(sequence_logits(*model, random_tokens(5, 299, 1), a8()).size(), 5U * 299U);
}

TEST(Model, AMissingTensorIsNamed) {
  const Specs specs = [] {
    Specs seen;
    SmallShape shape;
    shape.change_tensors = [&seen](Specs& tensors) { seen = tensors; };
    make_small_model(shape);
    return seen;
  }();
  for (const GgufTensorSpec& missing : specs) {
    if (missing.name == "output.weight") continue;  // then the model is tied
    const Error error = error_with_tensors([&](Specs& tensors) {
      std::erase_if(tensors, [&](const GgufTensorSpec& t) { return t.name == missing.name; });
    });
    EXPECT_EQ(error.code, ErrorCode::kBadInput);
    EXPECT_NE(error.message.find("'" + missing.name + "' is missing"), std::string::npos)
        << error.message;
  }
}

TEST(Model, AWrongShapeIsNamed) {
  const auto with_dims = [](const std::string& name, std::vector<std::uint64_t> dims) {
    return error_with_tensors([&](Specs& tensors) {
      for (GgufTensorSpec& tensor : tensors)
        if (tensor.name == name) tensor.dims = dims;
    });
  };
  const std::pair<std::string, std::vector<std::uint64_t>> wrong[] = {
      {"blk.1.ffn_down.weight", {256, 129}}, {"blk.1.ffn_down.weight", {128, 128}},
      {"blk.0.attn_q.weight", {128, 127}},   {"blk.0.attn_k.weight", {128, 32, 2}},
      {"blk.0.attn_norm.weight", {64}},      {"blk.0.attn_q_norm.weight", {64, 2}},
      {"output_norm.weight", {129}},         {"output.weight", {128, 300}}};
  for (const auto& [name, dims] : wrong) {
    const Error error = with_dims(name, dims);
    EXPECT_EQ(error.code, ErrorCode::kBadInput) << error.message;
    EXPECT_NE(error.message.find("'" + name + "'"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("expected"), std::string::npos) << error.message;
  }
}

TEST(Model, NormsMustBeFloats) {
  const Error error = error_with_tensors([](Specs& tensors) {
    for (GgufTensorSpec& tensor : tensors)
      if (tensor.name == "output_norm.weight") tensor.type = TensorType::kQ1_0;
  });
  EXPECT_EQ(error.code, ErrorCode::kBadInput);
  EXPECT_NE(error.message.find("expected a float vector of 128"), std::string::npos)
      << error.message;
}

TEST(Model, WidthsMustBeMultiplesOfAGroup) {
  SmallShape shape;
  shape.types = {TensorType::kF32};
  shape.feed_forward = 192;
  const Error error = load_error(shape);
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_NE(error.message.find("192 inputs"), std::string::npos) << error.message;
}

TEST(Model, ATokenizerLargerThanTheEmbeddingIsRefused) {
  SmallShape shape;
  shape.tokenizer_tokens = 300;
  const Error error = load_error(shape);
  EXPECT_EQ(error.code, ErrorCode::kBadInput);
  EXPECT_NE(error.message.find("300 tokens, the embedding only 299"), std::string::npos)
      << error.message;
}

TEST(Model, AMissingFileIsAnIoError) {
  const auto model = Model::load("/nowhere/model.gguf");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace bankai::model
