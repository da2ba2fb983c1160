#include "packer/nll_meter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/dispatch.h"
#include "packer/importance.h"
#include "packer/lossy_source.h"
#include "tests/support/small_model.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;

const kernels::KernelTable& table() { return *kernels::select_kernel("").value(); }

kernels::WeightRows rows_of_tensor(const model::GgufTensor& tensor) {
  const kernels::TensorTypeInfo& info = kernels::tensor_type_info(tensor.type);
  return {tensor.type, reinterpret_cast<const std::uint8_t*>(tensor.data.data()), tensor.rows(),
          tensor.cols(), tensor.cols() / info.block_weights * info.block_bytes};
}

std::vector<model::ScoredSequence> some_sequences(const model::Model& model) {
  const std::vector<model::TokenId> tokens =
      testing::random_tokens(70, model.parameters().vocabulary, 5);
  return model::perplexity_windows(tokens, 24, 24);
}

std::vector<double> reference_nll(const model::Model& model, model::ForwardOptions options) {
  model::Transformer transformer(model, table(), options);
  std::vector<double> nll;
  for (const auto& sequence : model::score_sequences(transformer, {}, some_sequences(model)))
    for (const double score : sequence) nll.push_back(-score);
  return nll;
}

// The file that a source stands for.
std::vector<std::byte> image_of(const PackSource& source) {
  const GgufLayout layout = GgufLayout::make(source.outline, source.values.size()).value();
  std::vector<std::byte> image = gguf_header(source.outline, source.values, layout);
  image.resize(source.file_bytes);
  for (std::size_t i = 0; i < source.outline.tensors.size(); ++i) {
    const std::span<const std::byte> data = source.data(i).value();
    std::copy(data.begin(), data.end(),
              image.begin() + static_cast<std::ptrdiff_t>(layout.offset(i)));
  }
  return image;
}

struct Rig {
  std::unique_ptr<model::Model> model;
  std::unique_ptr<WeightExchange> weights;
  std::unique_ptr<NllMeter> meter;
};

Rig make_rig(const std::vector<std::byte>& bytes, int threads) {
  Rig rig;
  rig.model = model::Model::from_file(model::GgufFile::parse(bytes, "small").value()).value();
  const auto options = model::forward_options(kernels::ActivationMode::kA8, threads);
  rig.weights = std::make_unique<WeightExchange>(*rig.model, threads);
  rig.meter = std::make_unique<NllMeter>(*rig.weights, *rig.model, table(), options,
                                         some_sequences(*rig.model));
  return rig;
}

std::vector<testing::SmallShape> shapes() {
  std::vector<testing::SmallShape> shapes(4);
  shapes[1].tied = true;
  shapes[1].types = {TensorType::kF16, TensorType::kQ8_0};
  shapes[2].fused_qkv = true;
  shapes[2].types = {TensorType::kQ2_0};
  shapes[3].embedding = 256;
  shapes[3].num_heads = 4;
  shapes[3].types = {TensorType::kTQ2_0, TensorType::kF32, TensorType::kTQ1_0, TensorType::kBF16};
  return shapes;
}

TEST(NllMeter, AnExactModelHasTheLossOfTheScorer) {
  for (const testing::SmallShape& shape : shapes()) {
    const std::vector<std::byte> bytes = testing::small_model_bytes(shape);
    Rig rig = make_rig(bytes, 2);
    const auto options = model::forward_options(kernels::ActivationMode::kA8, 2);
    EXPECT_EQ(rig.meter->finish({}), reference_nll(*rig.model, options));
  }
}

// For every tensor: exchanged from its stage on, in a pass with changes, and loaded from a file
// with the change, the loss is the same to the last bit; restored, it is what it was.
TEST(NllMeter, ExchangedWeightsActAsThoseOfAChangedFile) {
  for (const testing::SmallShape& shape : shapes()) {
    const std::vector<std::byte> bytes = testing::small_model_bytes(shape);
    Rig rig = make_rig(bytes, 1);
    const auto& tensors = rig.model->file().tensors();
    const std::vector<double> exact = rig.meter->finish({});
    std::vector<LossyStep> all_steps(tensors.size());
    const auto change = [&](std::size_t tensor, const LossyStep& step) {
      return apply_step(rows_of_tensor(tensors[tensor]), step, {}, 1);
    };
    const auto nll_of_file = [&](const std::vector<LossyStep>& steps) {
      const std::vector<std::byte> image =
          image_of(lossy_source(rig.model->file(), steps, change).value());
      const auto changed =
          model::Model::from_file(model::GgufFile::parse(image, "changed").value()).value();
      return reference_nll(*changed, model::forward_options(kernels::ActivationMode::kA8, 1));
    };
    for (std::size_t stage = 0; stage < rig.weights->num_stages(); ++stage) {
      NllMeter::Rows rows;
      rig.meter->advance(rows, stage);
      for (const std::size_t tensor : rig.weights->stage_tensors(stage)) {
        const auto steps =
            lossy_steps(rows_of_tensor(tensors[tensor]), rig.weights->role(tensor), false);
        ASSERT_GT(steps.size(), 1U) << tensors[tensor].name;
        all_steps[tensor] = steps[1 + tensor % (steps.size() - 1)];
        if (stage > 0 && rig.weights->role(tensor) == TensorRole::kTokenTable &&
            rig.model->is_tied())
          continue;  // it was the embedding's turn already
        SCOPED_TRACE(std::string(tensors[tensor].name) + ": " + step_name(all_steps[tensor]));
        std::vector<LossyStep> one(tensors.size());
        one[tensor] = all_steps[tensor];
        LossyTensor changed = change(tensor, one[tensor]).value();
        ASSERT_TRUE(rig.weights->put(tensor, std::move(changed)).ok());
        EXPECT_EQ(rig.meter->finish(rows), nll_of_file(one));
        rig.weights->restore();
        EXPECT_EQ(rig.meter->finish(rows), exact);
      }
    }
    const auto together =
        rig.meter->measure([&](std::size_t tensor) -> Result<std::optional<LossyTensor>> {
          if (all_steps[tensor].is_exact()) return std::optional<LossyTensor>();
          return std::optional(change(tensor, all_steps[tensor]).value());
        });
    EXPECT_EQ(together.value(), nll_of_file(all_steps));
    EXPECT_EQ(rig.meter->finish({}), exact);
  }
}

TEST(NllMeter, AChangeIsTheMeanDifferenceAndItsStandardError) {
  const double before[] = {1.0, 2.0, 3.0, 4.0}, after[] = {1.5, 2.5, 4.0, 4.0};
  const NllChange change = compare_nll(before, after);
  EXPECT_DOUBLE_EQ(change.mean, 0.5);
  EXPECT_DOUBLE_EQ(change.standard_error, std::sqrt(0.5 / 3.0 / 4.0));
}

TEST(Importance, IsThatOfEveryMatrixWhateverTheThreads) {
  for (const testing::SmallShape& shape : shapes()) {
    const auto model = testing::make_small_model(shape);
    const auto measure = [&](int threads) {
      return measure_importance(*model, table(),
                                model::forward_options(kernels::ActivationMode::kA8, threads),
                                some_sequences(*model));
    };
    const MatrixImportance one = measure(1), three = measure(3);
    ASSERT_EQ(one.size(), 2 * 7 + (shape.tied ? 1U : 2U));
    for (const auto& [address, importance] : one) {
      const kernels::WeightRows& weights = model->find_matrix(address)->weights;
      EXPECT_EQ(importance.rows.size(), weights.rows);
      EXPECT_EQ(importance.rows, three.at(address).rows);
      EXPECT_EQ(importance.cols, three.at(address).cols);
      double sum = 0.0;
      for (const double value : importance.rows) sum += value;
      EXPECT_GT(sum, 0.0);
    }
  }
}

TEST(CompareNll, takes_what_is_no_number_as_useless) {
  const double before[] = {1.0, 2.0};
  const double after[] = {1.5, std::numeric_limits<double>::quiet_NaN()};
  const NllChange change = compare_nll(before, after);
  EXPECT_EQ(change.mean, (0.5 + (kUselessNll - 2.0)) / 2.0);
  EXPECT_TRUE(std::isfinite(change.standard_error));
}

}  // namespace
}  // namespace bankai::packer
