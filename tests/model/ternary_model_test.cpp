// Ternary models of every architecture and type against the reference, in all ways to run them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "model/architecture.h"
#include "model/generation.h"
#include "tests/model/forward_checks.h"
#include "tests/support/reference_transformer.h"
#include "tests/support/small_model.h"

namespace bankai::model {
namespace {

using bankai::testing::kl_divergence;
using bankai::testing::make_small_model;
using bankai::testing::random_tokens;
using bankai::testing::ReferenceTransformer;
using bankai::testing::SmallShape;
using kernels::TensorType;

constexpr TensorType kTernaryTypes[] = {TensorType::kTQ1_0, TensorType::kTQ2_0, TensorType::kI2_S,
                                        TensorType::kQ2_0, TensorType::kPQ2_0};

// Widths that hold whole blocks of all types.
SmallShape wide_shape(std::string_view architecture, std::vector<TensorType> types) {
  SmallShape shape;
  shape.name = std::string(architecture);
  shape.architecture = architecture;
  shape.embedding = 256;
  shape.feed_forward = 512;
  shape.num_heads = 4;
  shape.num_kv_heads = 2;
  shape.types = std::move(types);
  for (const TensorType type : shape.types)
    shape.name += " " + std::string(kernels::tensor_type_info(type).name);
  return shape;
}

std::vector<SmallShape> shapes() {
  std::vector<SmallShape> shapes;
  for (const Architecture& architecture : kArchitectures) {
    for (const TensorType type : kTernaryTypes)
      shapes.push_back(wide_shape(architecture.name, {type}));
    shapes.push_back(wide_shape(architecture.name, {TensorType::kQ1_0}));
    // As published BitNet models: a float embedding that is the head as well, I2_S, scales.
    SmallShape& mixture = shapes.emplace_back(
        wide_shape(architecture.name, {TensorType::kF16, TensorType::kI2_S, TensorType::kQ1_0,
                                       TensorType::kTQ2_0, TensorType::kQ2_0}));
    mixture.tied = true;
    mixture.has_scales = true;
    SmallShape& wide_heads = shapes.emplace_back(
        wide_shape(architecture.name, {TensorType::kTQ1_0, TensorType::kPQ2_0}));
    wide_heads.name += ", heads wider than the embedding";
    wide_heads.num_heads = 8;
    wide_heads.has_scales = true;
  }
  for (std::size_t i = 0; i < shapes.size(); ++i) shapes[i].seed = i;
  return shapes;
}

double mean_kl(const std::vector<double>& reference, const std::vector<float>& ours,
               std::size_t vocabulary) {
  const std::vector<double> widened(ours.begin(), ours.end());
  double sum = 0.0;
  for (std::size_t first = 0; first < widened.size(); first += vocabulary)
    sum += kl_divergence({reference.data() + first, vocabulary}, {&widened[first], vocabulary});
  return sum / static_cast<double>(widened.size() / vocabulary);
}

TEST(TernaryModel, GivesTheLogitsOfTheReference) {
  for (const SmallShape& shape : shapes()) {
    SCOPED_TRACE(shape.name);
    const auto model = make_small_model(shape);
    const auto tokens = random_tokens(24, shape.vocabulary, shape.seed);
    const std::vector<double> reference = ReferenceTransformer(model->file()).logits(tokens);
    const std::vector<float> fine = sequence_logits(*model, tokens, a16());
    EXPECT_LT(mean_kl(reference, fine, shape.vocabulary), 1e-7);
    double largest = 0.0;
    for (std::size_t i = 0; i < fine.size(); ++i)
      largest = std::max(largest, std::fabs(static_cast<double>(fine[i]) - reference[i]));
    EXPECT_LT(largest, 3e-3);
    EXPECT_LT(mean_kl(reference, sequence_logits(*model, tokens, a8()), shape.vocabulary), 4e-3);
  }
}

TEST(TernaryModel, TheReferenceTellsTheArchitecturesApart) {
  const auto tokens = random_tokens(24, 299, 5);
  const auto logits_of = [&](std::string_view architecture, float sub_norm) {
    SmallShape shape = wide_shape(architecture, {TensorType::kTQ2_0});
    auto bytes = bankai::testing::small_model_bytes(shape);
    const auto model = bankai::testing::model_of_bytes(bytes);
    for (const GgufTensor& tensor : model->file().tensors())
      if (tensor.name.ends_with("sub_norm.weight") && sub_norm != 1.0F)
        std::memcpy(&bytes[tensor.offset], &sub_norm, sizeof sub_norm);
    return ReferenceTransformer(*GgufFile::parse(bytes, "f")).logits(tokens);
  };
  const std::vector<double> silu = logits_of("bitnet", 1.0F);
  const auto distance = [&](const std::vector<double>& other) {
    return mean_kl(silu, {other.begin(), other.end()}, 299);
  };
  EXPECT_LT(distance(logits_of("bitnet", 1.0F)), 1e-9);
  EXPECT_GT(distance(logits_of("bitnet", 30.0F)), 1e-3);
  EXPECT_GT(distance(logits_of("bitnet-b1.58", 1.0F)), 1e-3);
  EXPECT_GT(distance(logits_of("qwen3", 1.0F)), 1e-3);
}

TEST(TernaryModel, RunsTheSameInEveryWay) {
  for (const SmallShape& shape : shapes()) {
    SCOPED_TRACE(shape.name);
    const auto model = make_small_model(shape);
    const auto tokens = random_tokens(9, shape.vocabulary, shape.seed);
    for (const ForwardOptions& options : {a8(), a16()}) {
      const std::vector<float> expected = sequence_logits(*model, tokens, options);
      for (const kernels::KernelTable* table : runnable_kernels()) {
        ForwardOptions threads = options;
        threads.threads = 3;
        Transformer transformer(*model, *table, threads);
        EXPECT_EQ(sequence_logits(transformer, tokens), expected) << table->name;
      }
    }
  }
}

TEST(TernaryModel, GeneratesWhatFullPassesGive) {
  SamplingOptions greedy;
  greedy.temperature = 0.0;
  for (const SmallShape& shape : shapes()) {
    SCOPED_TRACE(shape.name);
    const auto model = make_small_model(shape);
    Transformer transformer(*model, best_kernels(), a8());
    std::vector<TokenId> tokens = random_tokens(5, shape.vocabulary, shape.seed);
    const std::vector<TokenId> generated =
        generate(transformer, {}, tokens, 6, greedy, [](TokenId) { return true; });
    for (const TokenId token : generated) {
      const std::vector<float> logits = sequence_logits(transformer, tokens);
      ASSERT_EQ(token, greedy_token(std::span(logits).last(shape.vocabulary)));
      tokens.push_back(token);
    }
  }
}

// Rows that replace others, in a matrix with a scale and behind a sub-norm.
TEST(TernaryModel, FlippedRowsOfAScaledMatrixAreThoseOfAFlippedFile) {
  SmallShape shape = wide_shape("bitnet-b1.58", {TensorType::kQ1_0});
  shape.has_scales = true;
  auto bytes = bankai::testing::small_model_bytes(shape);
  const auto model = bankai::testing::model_of_bytes(bytes);
  RowOverlay overlay;
  for (const Projection projection : {Projection::kGate, Projection::kDown, Projection::kOutput}) {
    const TensorAddress address{1, projection};
    overlay.flip_bit(*model, address, 77, 130);
    const auto& weights = model->find_matrix(address)->weights;
    const auto row = static_cast<std::size_t>(
        reinterpret_cast<const std::byte*>(weights.data + 77 * weights.row_bytes) -
        model->file().bytes().data());
    bytes[row + 18 + 2] ^= std::byte{4};
  }
  const auto tokens = random_tokens(9, shape.vocabulary, 1);
  const auto flipped = bankai::testing::model_of_bytes(bytes);
  for (const ForwardOptions& options : {a8(), a16()}) {
    const Replacements replacements{&overlay, {}};
    const std::vector<float> expected = sequence_logits(*flipped, tokens, options);
    EXPECT_EQ(sequence_logits(*model, tokens, options, replacements), expected);
    EXPECT_NE(sequence_logits(*model, tokens, options), expected);
  }
}

TEST(TernaryModel, TheFirstPrismIdIsReadLikeTheLaterOne) {
  SmallShape shape = wide_shape("qwen3", {TensorType::kPQ2_0});
  const auto tokens = random_tokens(9, shape.vocabulary, 1);
  const std::vector<float> expected = sequence_logits(*make_small_model(shape), tokens, a8());
  shape.change_tensors = [](std::vector<GgufTensorSpec>& tensors) {
    for (GgufTensorSpec& tensor : tensors)
      if (tensor.type == TensorType::kPQ2_0) tensor.type_id = 42;
  };
  const auto legacy = make_small_model(shape);
  EXPECT_EQ(legacy->embedding().weights.type, TensorType::kPQ2_0);
  EXPECT_EQ(sequence_logits(*legacy, tokens, a8()), expected);
}

TEST(TernaryModel, MissingSubNormsAreNamed) {
  for (const char* missing : {"blk.1.attn_sub_norm.weight", "blk.0.ffn_sub_norm.weight"}) {
    SmallShape shape = wide_shape("bitnet", {TensorType::kTQ1_0});
    shape.change_tensors = [&](std::vector<GgufTensorSpec>& tensors) {
      std::erase_if(tensors, [&](const GgufTensorSpec& t) { return t.name == missing; });
    };
    EXPECT_THROW(
        {
          try {
            make_small_model(shape);
          } catch (const std::runtime_error& error) {
            EXPECT_EQ(std::string(error.what()),
                      "small.gguf: tensor '" + std::string(missing) + "' is missing");
            throw;
          }
        },
        std::runtime_error);
  }
}

}  // namespace
}  // namespace bankai::model
