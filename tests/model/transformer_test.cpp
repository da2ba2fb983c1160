#include "model/transformer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/format.h"
#include "core/mapped_file.h"
#include "model/gguf_copy.h"
#include "tests/model/forward_checks.h"
#include "tests/support/reference_transformer.h"
#include "tests/support/small_model.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

using bankai::testing::demo_model;
using bankai::testing::kl_divergence;
using bankai::testing::make_small_model;
using bankai::testing::random_tokens;
using bankai::testing::ReferenceTransformer;
using bankai::testing::SmallShape;
using kernels::TensorType;

void add_scaling(GgufBuilder& builder, const char* type, float factor) {
  builder.add_string("qwen3.rope.scaling.type", type);
  builder.add<float>("qwen3.rope.scaling.factor", factor);
}

// Every freedom that the format leaves, in shapes where a wrong stride shows.
std::vector<SmallShape> odd_shapes() {
  std::vector<SmallShape> shapes(14);
  shapes[0].name = "one layer, tied, a head per key";
  shapes[0].num_layers = 1;
  shapes[0].tied = true;
  shapes[0].num_heads = shapes[0].num_kv_heads = 4;
  shapes[0].head_dim = 32;
  shapes[1].name = "three heads per key, wider than the embedding";
  shapes[1].num_heads = 6;
  shapes[1].num_kv_heads = 2;
  shapes[1].feed_forward = 384;
  shapes[2].name = "heads of 80";
  shapes[2].num_heads = 8;
  shapes[2].num_kv_heads = 2;
  shapes[2].head_dim = 80;
  shapes[2].vocabulary = 261;
  shapes[3].name = "heads of 128, narrower than the embedding";
  shapes[3].embedding = 384;
  shapes[3].head_dim = 128;
  shapes[3].num_layers = 3;
  shapes[4].name = "YaRN";
  shapes[4].add_metadata = [](GgufBuilder& builder) {
    add_scaling(builder, "yarn", 4.0F);
    builder.add<std::uint32_t>("qwen3.rope.scaling.original_context_length", 256);
  };
  shapes[5].name = "YaRN with a factor of its own";
  shapes[5].head_dim = 128;
  shapes[5].add_metadata = [](GgufBuilder& builder) {
    add_scaling(builder, "yarn", 2.5F);
    builder.add<std::uint32_t>("qwen3.rope.scaling.original_context_length", 4096);
    builder.add<float>("qwen3.rope.scaling.attn_factor", 0.9F);
  };
  shapes[6].name = "linear scaling";
  shapes[6].add_metadata = [](GgufBuilder& builder) { add_scaling(builder, "linear", 2.0F); };
  shapes[7].name = "rotation of half a head";
  shapes[7].add_metadata = [](GgufBuilder& builder) {
    builder.add<std::uint32_t>("qwen3.rope.dimension_count", 32);
  };
  shapes[8].name = "Q8_0";
  shapes[8].types = {TensorType::kQ8_0};
  shapes[9].name = "floats";
  shapes[9].types = {TensorType::kF32, TensorType::kF16, TensorType::kBF16};
  shapes[10].name = "a mixture";
  shapes[10].types = {TensorType::kQ1_0, TensorType::kF16, TensorType::kQ8_0, TensorType::kBF16,
                      TensorType::kQ1_0, TensorType::kF32, TensorType::kQ8_0};
  shapes[11].name = "sixteen heads per key: each token attends on its own";
  shapes[11].num_heads = 16;
  shapes[11].head_dim = 16;
  // The random weights of a norm, between 0.8 and 1.2, serve as factors.
  shapes[12].name = "factors of the frequencies, as Llama 3 scales";
  shapes[12].architecture = "llama";
  shapes[12].change_tensors = [](std::vector<GgufTensorSpec>& tensors) {
    tensors.push_back({"rope_freqs.weight", TensorType::kF32, {32}});
  };
  shapes[13].name = "biases, tokens that attend one by one";
  shapes[13].architecture = "qwen2";
  shapes[13].num_heads = 6;
  shapes[13].num_kv_heads = 2;
  shapes[13].types = {TensorType::kQ8_0};
  for (std::size_t i = 0; i < shapes.size(); ++i) shapes[i].seed = i;
  return shapes;
}

struct Distance {
  double mean_kl = 0.0;
  double largest_difference = 0.0;  // of a logit
};

Distance distance(const std::vector<double>& reference, const std::vector<float>& ours,
                  std::size_t vocabulary) {
  Distance distance;
  const std::vector<double> widened(ours.begin(), ours.end());
  for (std::size_t i = 0; i < widened.size(); ++i)
    distance.largest_difference =
        std::max(distance.largest_difference, std::fabs(widened[i] - reference[i]));
  for (std::size_t first = 0; first < widened.size(); first += vocabulary)
    distance.mean_kl +=
        kl_divergence({reference.data() + first, vocabulary}, {widened.data() + first, vocabulary});
  distance.mean_kl /= static_cast<double>(widened.size() / vocabulary);
  return distance;
}

TEST(Transformer, OddShapesGiveTheLogitsOfTheReference) {
  for (const SmallShape& shape : odd_shapes()) {
    SCOPED_TRACE(shape.name);
    const auto model = make_small_model(shape);
    const auto tokens = random_tokens(40, shape.vocabulary, shape.seed);
    const std::vector<double> reference = ReferenceTransformer(model->file()).logits(tokens);
    const Distance fine =
        distance(reference, sequence_logits(*model, tokens, a16()), shape.vocabulary);
    EXPECT_LT(fine.mean_kl, 1e-7);
    EXPECT_LT(fine.largest_difference, 3e-3);
    const Distance coarse =
        distance(reference, sequence_logits(*model, tokens, a8()), shape.vocabulary);
    EXPECT_LT(coarse.mean_kl, 2e-3);
  }
}

TEST(Transformer, TheReferenceNoticesEachFreedom) {
  // The comparison above can only fail if these settings matter to the reference.
  SmallShape plain;
  const auto tokens = random_tokens(40, plain.vocabulary, 5);
  const std::vector<double> logits =
      ReferenceTransformer(make_small_model(plain)->file()).logits(tokens);
  for (const SmallShape& shape : odd_shapes()) {
    if (!shape.name.starts_with("YaRN") && !shape.name.starts_with("linear") &&
        !shape.name.starts_with("rotation"))
      continue;
    SmallShape changed = plain;
    changed.add_metadata = shape.add_metadata;
    const std::vector<double> other =
        ReferenceTransformer(make_small_model(changed)->file()).logits(tokens);
    EXPECT_GT(distance(logits, {other.begin(), other.end()}, plain.vocabulary).mean_kl, 1e-4)
        << shape.name;
  }
}

class DemoModel : public ::testing::Test {
 protected:
  static std::vector<TokenId> text_tokens(std::size_t count) {
    const auto text = read_file(bankai::testing::data_path("demo/text/general.heldout.txt"));
    EXPECT_TRUE(text.ok());
    std::vector<TokenId> tokens = demo_model().tokenizer().encode(*text);
    tokens.resize(count);
    return tokens;
  }
};

TEST_F(DemoModel, IsCloseToTheReferenceOnText) {
  constexpr std::size_t kWindow = 300;
  const auto tokens = text_tokens(2 * kWindow);
  const ReferenceTransformer reference(demo_model().file());
  const std::size_t vocabulary = demo_model().parameters().vocabulary;
  double coarse = 0.0;
  double fine = 0.0;
  for (std::size_t first = 0; first < tokens.size(); first += kWindow) {
    const auto window = std::span(tokens).subspan(first, kWindow);
    const std::vector<double> expected = reference.logits(window);
    coarse += distance(expected, sequence_logits(demo_model(), window, a8()), vocabulary).mean_kl;
    fine += distance(expected, sequence_logits(demo_model(), window, a16()), vocabulary).mean_kl;
  }
  EXPECT_LE(coarse / 2.0, 1e-4);
  EXPECT_LE(fine / 2.0, 1e-8);
}

// The demo model with one input channel of every layer's norms scaled by `factor`.
Result<std::unique_ptr<Model>> with_outlier_channel(std::size_t channel, float factor,
                                                    const std::string& path) {
  const GgufFile& file = demo_model().file();
  std::vector<std::byte> bytes;
  const auto scale_channel = [&](const GgufTensor& tensor) -> Result<std::span<const std::byte>> {
    if (!tensor.name.ends_with("attn_norm.weight") && !tensor.name.ends_with("ffn_norm.weight"))
      return std::span<const std::byte>();
    bytes.assign(tensor.data.begin(), tensor.data.end());
    float value = 0.0F;
    std::memcpy(&value, bytes.data() + channel * sizeof value, sizeof value);
    value *= factor;
    std::memcpy(bytes.data() + channel * sizeof value, &value, sizeof value);
    return std::span<const std::byte>(bytes);
  };
  BANKAI_RETURN_IF_ERROR(copy_gguf(file, {}, scale_channel, path, Overwrite::kReplace));
  return Model::load(path);
}

TEST_F(DemoModel, OutlierChannelsCostA8LittleMoreThanNarrowGroups) {
  const auto tokens = text_tokens(200);
  const std::size_t vocabulary = demo_model().parameters().vocabulary;
  const bankai::testing::TempDir folder;
  for (const std::size_t channel : {0U, 255U}) {
    const auto model = with_outlier_channel(channel, 50.0F, folder.path("outlier.gguf"));
    ASSERT_TRUE(model.ok());
    const std::vector<double> exact = ReferenceTransformer((*model)->file()).logits(tokens);
    const auto mean_kl_of_groups = [&](std::size_t cols) {
      const std::vector<double> logits =
          ReferenceTransformer((*model)->file(), {.int8_group_cols = cols}).logits(tokens);
      return distance(exact, {logits.begin(), logits.end()}, vocabulary).mean_kl;
    };
    const double ours = distance(exact, sequence_logits(**model, tokens, a8()), vocabulary).mean_kl;
    const double narrow = mean_kl_of_groups(32);
    const double wide = mean_kl_of_groups(128);
    RecordProperty("channel_" + std::to_string(channel),
                   format("a8 %.3g, groups of 32 %.3g, of 128 %.3g", ours, narrow, wide));
    EXPECT_LE(ours, 4.0 * narrow);
    EXPECT_LT(ours, wide);
  }
}

// The same tokens in every way that must not matter, for both precisions.
class Invariance : public ::testing::TestWithParam<ForwardOptions> {
 protected:
  Invariance() {
    SmallShape shape;
    shape.num_heads = 6;
    shape.num_kv_heads = 2;
    shape.types = {TensorType::kQ1_0, TensorType::kQ1_0, TensorType::kQ8_0, TensorType::kQ1_0,
                   TensorType::kF16};
    model_ = make_small_model(shape);
    tokens_ = random_tokens(37, shape.vocabulary, 7);
    expected_ = sequence_logits(*model_, tokens_, GetParam());
  }

  std::size_t vocabulary() const { return model_->parameters().vocabulary; }
  std::vector<float> expected_rows(std::size_t first, std::size_t count) const {
    const auto begin = expected_.begin() + static_cast<std::ptrdiff_t>(first * vocabulary());
    return {begin, begin + static_cast<std::ptrdiff_t>(count * vocabulary())};
  }

  std::shared_ptr<const Model> model_;
  std::vector<TokenId> tokens_;
  std::vector<float> expected_;
};

TEST_P(Invariance, PiecesWithACacheEqualOneBlock) {
  for (const std::size_t piece : {1U, 2U, 5U, 16U, 36U, 37U}) {
    Transformer transformer(*model_, best_kernels(), GetParam());
    KvCache cache(model_->parameters(), GetParam().kv);
    for (std::size_t first = 0; first < tokens_.size(); first += piece) {
      const std::size_t count = std::min(piece, tokens_.size() - first);
      const Segment segment{0, count, &cache, first};
      cache.set_positions(first + count);
      EXPECT_EQ(block_logits(transformer, std::span(tokens_).subspan(first, count), {&segment, 1}),
                expected_rows(first, count))
          << "pieces of " << piece << ", at " << first;
    }
  }
}

TEST_P(Invariance, AForgottenContinuationLeavesNoTrace) {
  Transformer transformer(*model_, best_kernels(), GetParam());
  KvCache cache(model_->parameters(), GetParam().kv);
  const auto feed = [&](std::span<const TokenId> some, std::size_t past) {
    const Segment segment{0, some.size(), &cache, past};
    cache.set_positions(past + some.size());
    return block_logits(transformer, some, {&segment, 1});
  };
  const auto others = random_tokens(20, vocabulary(), 8);
  feed(std::span(tokens_).first(10), 0);
  feed(others, 10);
  cache.set_positions(10);
  EXPECT_EQ(feed(std::span(tokens_).subspan(10), 10), expected_rows(10, 27));
}

TEST_P(Invariance, SequencesTogetherEqualSequencesAlone) {
  Transformer transformer(*model_, best_kernels(), GetParam());
  const auto others = random_tokens(23, vocabulary(), 9);
  const std::vector<float> alone = sequence_logits(transformer, others);
  // One sequence without a cache, the end of another one behind its cache, the first once more.
  KvCache cache(model_->parameters(), GetParam().kv);
  const Segment head{0, 30, &cache, 0};
  cache.set_positions(30);
  block_logits(transformer, std::span(tokens_).first(30), {&head, 1});
  cache.set_positions(37);
  std::vector<TokenId> block = others;
  block.insert(block.end(), tokens_.begin() + 30, tokens_.end());
  block.insert(block.end(), others.begin(), others.end());
  const Segment segments[] = {{0, 23, nullptr, 0}, {23, 7, &cache, 30}, {30, 23, nullptr, 0}};
  std::vector<float> expected = alone;
  const std::vector<float> tail = expected_rows(30, 7);
  expected.insert(expected.end(), tail.begin(), tail.end());
  expected.insert(expected.end(), alone.begin(), alone.end());
  EXPECT_EQ(block_logits(transformer, block, segments), expected);
}

TEST_P(Invariance, ThreadsAndKernelTablesDoNotMatter) {
  for (const kernels::KernelTable* table : runnable_kernels()) {
    for (const int threads : {1, 2, 3}) {
      ForwardOptions options = GetParam();
      options.threads = threads;
      Transformer transformer(*model_, *table, options);
      EXPECT_EQ(sequence_logits(transformer, tokens_), expected_)
          << table->name << ", " << threads << " threads";
    }
  }
}

TEST_P(Invariance, ARepeatedPassGivesTheSame) {
  Transformer transformer(*model_, best_kernels(), GetParam());
  sequence_logits(transformer, random_tokens(50, vocabulary(), 3));
  EXPECT_EQ(sequence_logits(transformer, tokens_), expected_);
  EXPECT_EQ(sequence_logits(transformer, tokens_), expected_);
}

// Every activation mode, and every format of keys and values.
std::vector<ForwardOptions> precisions() {
  std::vector<ForwardOptions> all = {a8(), a16()};
  for (const KvStorageInfo& info : kv_storages())
    for (const KvQuantiser quantiser : {KvQuantiser::kKv1, KvQuantiser::kRotated}) {
      const KvFormat format(info.storage, quantiser);
      if (!format.is_packed()) continue;
      all.push_back(a8());
      all.back().kv = format;
    }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Precisions, Invariance, ::testing::ValuesIn(precisions()),
                         [](const auto& parameter) {
                           const ForwardOptions& options = parameter.param;
                           std::string name =
                               options.activations == kernels::ActivationMode::kA8 ? "A8" : "A16";
                           for (const char c : "Kv" + kv_format_text(options.kv))
                             if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
                           return name;
                         });

TEST(Transformer, KeysAndValuesInHalfPrecisionChangeLittle) {
  const auto tokens = random_tokens(40, 299, 1);
  const auto model = make_small_model({});
  ForwardOptions half = a16();
  half.kv = KvType::kF16;
  const std::vector<float> fine = sequence_logits(*model, tokens, a16());
  const std::vector<float> coarse = sequence_logits(*model, tokens, half);
  EXPECT_NE(fine, coarse);
  const std::vector<double> widened(fine.begin(), fine.end());
  EXPECT_LT(distance(widened, coarse, 299).mean_kl, 1e-5);
}

TEST(Transformer, StagesGiveWhatTheLayersGive) {
  const auto model = make_small_model({});
  const Hyperparameters& h = model->parameters();
  const auto tokens = random_tokens(9, h.vocabulary, 4);
  Transformer transformer(*model, best_kernels(), a16());
  const Segment segment{0, tokens.size(), nullptr, 0};
  std::vector<float> whole(tokens.size() * h.embedding);
  transformer.embed(tokens, {}, whole.data());
  std::vector<float> staged = whole;
  transformer.run_layers(0, h.num_layers, {&segment, 1}, {}, whole.data());
  AttentionProjections attention;
  FfnProjections ffn;
  for (std::size_t layer = 0; layer < h.num_layers; ++layer) {
    transformer.project_attention(layer, tokens.size(), staged.data(), {}, attention);
    transformer.finish_attention(layer, {&segment, 1}, attention, {}, staged.data());
    transformer.project_ffn(layer, tokens.size(), staged.data(), {}, ffn);
    transformer.activate_ffn(ffn);
    transformer.finish_ffn(layer, tokens.size(), ffn.gate.data(), {}, staged.data());
  }
  EXPECT_EQ(staged, whole);
}

TEST(Transformer, OptionsFollowThePrecision) {
  const ForwardOptions coarse = forward_options(kernels::ActivationMode::kA8, 3);
  EXPECT_EQ(coarse.kv, KvType::kF16);
  EXPECT_EQ(coarse.threads, 3);
  EXPECT_EQ(forward_options(kernels::ActivationMode::kA16, 1).kv, KvType::kF32);
}

}  // namespace
}  // namespace bankai::model
