#include "model/weight_binder.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "tests/model/forward_checks.h"
#include "tests/support/small_model.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

using bankai::testing::make_small_model;
using bankai::testing::model_of_bytes;
using bankai::testing::random_tokens;
using bankai::testing::small_model_bytes;
using bankai::testing::SmallShape;
using kernels::I2sLayout;
using kernels::TensorType;

SmallShape i2_s_shape() {
  SmallShape shape;
  shape.types = {TensorType::kI2_S};
  shape.vocabulary = 300;  // a multiple of 4
  return shape;
}

// The error of loading the bytes of a model.
std::string load_error(const std::vector<std::byte>& bytes, const LoadOptions& options = {}) {
  auto file = GgufFile::parse(bytes, "f");
  if (!file.ok()) return file.error().message;
  const auto model = Model::from_file(std::move(file).value(), options);
  if (model.ok()) return "accepted";
  EXPECT_EQ(model.error().code, ErrorCode::kBadInput) << model.error().message;
  return model.error().message;
}

// The data of a tensor in the bytes of a model.
std::span<std::byte> data_of(std::vector<std::byte>& bytes, const char* name) {
  const auto file = GgufFile::parse(bytes, "f");
  const GgufTensor* tensor = file->find_tensor(name);
  return std::span(bytes).subspan(tensor->offset, tensor->data.size());
}

void write_float(std::span<std::byte> at, float value) {
  std::memcpy(at.data(), &value, sizeof value);
}

// Where the code of a weight is in a tensor: byte and shift.
std::pair<std::size_t, unsigned> place_of(I2sLayout layout, std::size_t row, std::size_t col,
                                          std::size_t cols) {
  const std::size_t run = layout == I2sLayout::kRuns64 ? 16 : 32;
  if (layout == I2sLayout::kFourRows)
    return {row / 4 * cols + col, static_cast<unsigned>(6 - 2 * (row % 4))};
  return {row * cols / 4 + col / (4 * run) * run + col % run,
          static_cast<unsigned>(6 - 2 * (col % (4 * run) / run))};
}

// All I2_S tensors of a model written in another layout.
std::vector<std::byte> relaid(const std::vector<std::byte>& bytes, I2sLayout layout) {
  std::vector<std::byte> result = bytes;
  const auto file = GgufFile::parse(bytes, "f");
  for (const GgufTensor& tensor : file->tensors()) {
    if (tensor.type != TensorType::kI2_S) continue;
    std::fill_n(result.begin() + static_cast<std::ptrdiff_t>(tensor.offset),
                tensor.rows() * tensor.cols() / 4, std::byte{0});
    for (std::size_t row = 0; row < tensor.rows(); ++row)
      for (std::size_t col = 0; col < tensor.cols(); ++col) {
        const auto [from, down] = place_of(I2sLayout::kRuns128, row, col, tensor.cols());
        const auto [to, up] = place_of(layout, row, col, tensor.cols());
        result[tensor.offset + to] |= (tensor.data[from] >> down & std::byte{3}) << up;
      }
  }
  return result;
}

TEST(WeightBinder, EveryI2SLayoutGivesTheSameModel) {
  for (const bool fused : {false, true}) {
    SmallShape shape = i2_s_shape();
    shape.fused_qkv = fused;
    const auto bytes = small_model_bytes(shape);
    const auto tokens = random_tokens(9, 300, 3);
    const std::vector<float> expected = sequence_logits(*model_of_bytes(bytes), tokens, a8());
    for (const kernels::I2sLayoutInfo& info : kernels::kI2sLayouts) {
      const auto other = model_of_bytes(relaid(bytes, info.layout), {.i2s_layout = info.layout});
      EXPECT_EQ(sequence_logits(*other, tokens, a8()), expected) << info.name;
      EXPECT_TRUE(other->warnings().empty());
    }
  }
}

// A mapped file gives back what has been read of it, but not memory that is not the file's.
TEST(WeightBinder, RearrangedTensorsOfAMappedFileStay) {
  SmallShape shape = i2_s_shape();
  shape.feed_forward = 1024;
  const auto bytes = small_model_bytes(shape);
  const auto tokens = random_tokens(9, 300, 3);
  const std::vector<float> expected = sequence_logits(*model_of_bytes(bytes), tokens, a8());
  const bankai::testing::TempDir folder;
  const std::string path = folder.path("model.gguf");
  const auto other = relaid(bytes, I2sLayout::kFourRows);
  const std::string_view text(reinterpret_cast<const char*>(other.data()), other.size());
  ASSERT_TRUE(write_file(path, text, Overwrite::kRefuse).ok());
  const auto model = Model::load(path, {.i2s_layout = I2sLayout::kFourRows});
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(sequence_logits(**model, tokens, a8()), expected);
}

TEST(WeightBinder, I2SWithoutAChosenLayoutIsAWarning) {
  const auto model = make_small_model(i2_s_shape());
  ASSERT_EQ(model->warnings().size(), 1U);
  EXPECT_EQ(model->warnings()[0],
            "small.gguf: nothing in the file says which of the I2_S layouts (128/32, 64/16, 4-row) "
            "it uses; read as 128/32. If it answers with noise, choose another one.");
  EXPECT_TRUE(make_small_model({})->warnings().empty());
}

TEST(WeightBinder, FourRowsNeedAMultipleOfFour) {
  SmallShape shape = i2_s_shape();
  shape.vocabulary = 299;
  EXPECT_EQ(load_error(small_model_bytes(shape), {.i2s_layout = I2sLayout::kFourRows}),
            "f: tensor 'token_embd.weight' has 299 rows, expected a multiple of 4 in the I2_S "
            "layout 4-row");
}

TEST(WeightBinder, ScalesOfTensorsMultiply) {
  SmallShape shape = i2_s_shape();
  shape.has_scales = true;
  std::vector<std::byte> bytes = small_model_bytes(shape);
  const auto trailer = data_of(bytes, "blk.0.ffn_up.weight").last(32);
  write_float(trailer, 0.75F);
  write_float(data_of(bytes, "blk.0.ffn_up.scale"), -4.0F);
  const auto model = model_of_bytes(bytes);
  EXPECT_EQ(model->layer(0).up.scale, -3.0F);
  EXPECT_EQ(make_small_model({})->layer(0).up.scale, 1.0F);
}

TEST(WeightBinder, AFusedTensorHasOneScale) {
  SmallShape shape = i2_s_shape();
  shape.fused_qkv = shape.has_scales = true;
  const auto model = make_small_model(shape);
  const LayerWeights& layer = model->layer(1);
  EXPECT_EQ(layer.query.scale, layer.key.scale);
  EXPECT_EQ(layer.query.scale, layer.value.scale);
  EXPECT_NE(layer.query.scale, layer.output.scale);
}

TEST(WeightBinder, AScaleMustBeANumber) {
  for (const float bad :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<std::byte> bytes = small_model_bytes(i2_s_shape());
    write_float(data_of(bytes, "blk.1.attn_k.weight").last(32), bad);
    EXPECT_NE(load_error(bytes).find("tensor 'blk.1.attn_k.weight' has the scale"),
              std::string::npos);
  }
  SmallShape shape;
  shape.has_scales = true;
  std::vector<std::byte> bytes = small_model_bytes(shape);
  write_float(data_of(bytes, "output.scale"), std::numeric_limits<float>::infinity());
  EXPECT_EQ(load_error(bytes), "f: tensor 'output.weight' has the scale inf, expected a number");
  shape.change_tensors = [](std::vector<GgufTensorSpec>& tensors) {
    for (GgufTensorSpec& tensor : tensors)
      if (tensor.name == "output.scale") tensor.dims = {2};
  };
  EXPECT_EQ(load_error(small_model_bytes(shape)),
            "f: tensor 'output.scale' is F32 [2], expected a float vector of 1");
}

}  // namespace
}  // namespace bankai::model
