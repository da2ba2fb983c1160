#include "model/divergence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/model/forward_checks.h"
#include "tests/model/kv_reference.h"
#include "tests/model/kv_vectors.h"
#include "tests/support/small_model.h"

namespace bankai::model {
namespace {

using bankai::testing::demo_model;

const std::function<void(std::size_t, std::size_t)> kSilent = [](std::size_t, std::size_t) {};

// Attention, query by query, over a float32 cache of what keys and values become in the published
// quantiser of the test (mode 0: unchanged). Keys and queries come rotated by position. The float
// attention is the program's own, held to double precision elsewhere: a sum that differs in its
// last bit can change a code of the next layer.
std::vector<float> plain_attention(const Hyperparameters& h, const AttentionProjections& p,
                                   int mode) {
  const kernels::KernelTable& table = *kernels::all_kernels().front();
  const std::size_t tokens = p.query.size() / h.query_dim();
  KvRows cache(KvStorage::kF32, h.num_kv_heads, h.head_dim);
  cache.resize(tokens);
  const auto element = [&](const std::vector<float>& from, std::size_t token, std::size_t head) {
    const auto begin =
        from.begin() + static_cast<std::ptrdiff_t>(token * h.kv_dim() + head * h.head_dim);
    const std::vector<float> x(begin, begin + static_cast<std::ptrdiff_t>(h.head_dim));
    return mode == 0 ? x : reference_kv1(mode, x).elements;
  };
  for (std::size_t t = 0; t < tokens; ++t)
    for (std::size_t head = 0; head < h.num_kv_heads; ++head)
      cache.write(table, head, t, element(p.key, t, head).data(), element(p.value, t, head).data());
  std::vector<float> mixed(p.query.size(), 0.0F);
  std::vector<float> weights(round_up_to_key_block(tokens));
  const float scale = 1.0F / std::sqrt(static_cast<float>(h.head_dim));
  for (std::size_t head = 0; head < h.num_heads; ++head) {
    const std::size_t kv_head = head / (h.num_heads / h.num_kv_heads);
    for (std::size_t t = 0; t < tokens; ++t) {
      const std::size_t offset = t * h.query_dim() + head * h.head_dim;
      cache.score(table, kv_head, 0, t + 1, p.query.data() + offset, 1, scale, weights.data(),
                  weights.size());
      const float factor = 1.0F / table.exponentials(weights.data(), t + 1);
      cache.mix(table, kv_head, 0, t + 1, weights.data(), weights.size(), 1, mixed.data() + offset);
      for (std::size_t d = 0; d < h.head_dim; ++d) mixed[offset + d] *= factor;
    }
  }
  return mixed;
}

// Logits (tokens, vocabulary) of a model with that attention.
std::vector<float> plain_logits(const Model& model, std::span<const TokenId> tokens, int mode) {
  const Hyperparameters& h = model.parameters();
  ForwardOptions options = a16();
  options.kv = KvStorage::kF32;
  Transformer transformer(model, best_kernels(), options);
  std::vector<float> x(tokens.size() * h.embedding);
  const Segment whole{0, tokens.size(), nullptr, 0};
  transformer.embed(tokens, {}, x.data());
  AttentionProjections attention;
  FfnProjections ffn;
  for (std::size_t layer = 0; layer < h.num_layers; ++layer) {
    transformer.project_attention(layer, tokens.size(), x.data(), {}, attention);
    transformer.mix_values(layer, {&whole, 1}, attention);  // rotates queries and keys
    const std::vector<float> mixed = plain_attention(h, attention, mode);
    transformer.finish_output(layer, tokens.size(), mixed.data(), {}, x.data());
    transformer.project_ffn(layer, tokens.size(), x.data(), {}, ffn);
    transformer.activate_ffn(ffn);
    transformer.finish_ffn(layer, tokens.size(), ffn.gate.data(), {}, x.data());
  }
  std::vector<float> logits(tokens.size() * h.vocabulary);
  transformer.logits(tokens.size(), x.data(), {}, logits.data());
  return logits;
}

// The mean over chunks by the definition.
double plain_divergence(const Model& model, std::span<const TokenId> tokens, std::size_t context,
                        int mode) {
  const std::size_t vocabulary = model.parameters().vocabulary;
  double sum = 0.0;
  std::size_t positions = 0;
  for (std::size_t first = 0; first + 1 < tokens.size(); first += context) {
    const auto chunk = tokens.subspan(first, std::min(context, tokens.size() - first));
    const std::vector<float> p = plain_logits(model, chunk, 0);
    const std::vector<float> q = plain_logits(model, chunk, mode);
    const auto log_softmax = [&](const std::vector<float>& logits, std::size_t row) {
      std::vector<double> out(logits.begin() + static_cast<std::ptrdiff_t>(row * vocabulary),
                              logits.begin() + static_cast<std::ptrdiff_t>((row + 1) * vocabulary));
      double total = 0.0;
      for (const double v : out) total += std::exp(v);
      for (double& v : out) v -= std::log(total);
      return out;
    };
    for (std::size_t row = 0; row + 1 < chunk.size(); ++row, ++positions) {
      const std::vector<double> log_p = log_softmax(p, row);
      const std::vector<double> log_q = log_softmax(q, row);
      for (std::size_t i = 0; i < vocabulary; ++i)
        sum += std::exp(log_p[i]) * (log_p[i] - log_q[i]);
    }
  }
  return sum / static_cast<double>(positions);
}

std::vector<TokenId> demo_tokens() {
  return demo_model().tokenizer().encode(
      "The capital of France is Paris.\n12 + 30 = 42\nd/dx x^2 = 2x\nMia has 3 apples. She buys 5 "
      "more apples. Now she has 8 apples.\nSum: 28 + 92 = 120\n");
}

TEST(Divergence, IsThatOfAPlainImplementation) {
  const std::vector<TokenId> tokens = demo_tokens();
  constexpr std::size_t kContext = 40;
  Transformer reference(demo_model(), best_kernels(), a16());
  for (const KvStorage storage : kPackedStorages) {
    ForwardOptions options = a16();
    options.kv = storage;
    Transformer packed(demo_model(), best_kernels(), options);
    const auto result =
        measure_divergence({reference, {}}, {packed, {}}, tokens, kContext, SIZE_MAX, kSilent);
    ASSERT_TRUE(result.ok());
    const std::size_t chunks = (tokens.size() + kContext - 2) / kContext;
    EXPECT_EQ(result->chunks, chunks);
    EXPECT_EQ(result->positions, tokens.size() - chunks);
    const double expected =
        plain_divergence(demo_model(), tokens, kContext, published_mode(storage));
    EXPECT_NEAR(result->mean, expected, 1e-9) << kv_format_text(storage);
    EXPECT_GT(expected, 0.0);
  }
}

TEST(Divergence, FromItselfIsZero) {
  Transformer one(demo_model(), best_kernels(), a8());
  Transformer other(demo_model(), *kernels::all_kernels().front(), a8());
  const auto result =
      measure_divergence({one, {}}, {other, {}}, demo_tokens(), 32, SIZE_MAX, kSilent);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->mean, 0.0);
  EXPECT_EQ(result->largest, 0.0);
  EXPECT_EQ(result->same_top, 1.0);
  EXPECT_EQ(result->rms_delta_p, 0.0);
  EXPECT_EQ(result->nll, result->reference_nll);
}

TEST(Divergence, DoesNotDependOnThreads) {
  Transformer reference(demo_model(), best_kernels(), a8());
  std::vector<double> means;
  for (const int threads : {1, 2, 3}) {
    ForwardOptions options = a8();
    options.kv = KvFormat(KvStorage::kBits2, KvQuantiser::kRotated);
    options.threads = threads;
    Transformer packed(demo_model(), best_kernels(), options);
    const auto result =
        measure_divergence({reference, {}}, {packed, {}}, demo_tokens(), 64, SIZE_MAX, kSilent);
    ASSERT_TRUE(result.ok());
    means.push_back(result->mean);
  }
  EXPECT_EQ(means[0], means[1]);
  EXPECT_EQ(means[0], means[2]);
}

TEST(Divergence, RotatedKeysAndValuesAreCloserThanThoseOfKv1) {
  Transformer reference(demo_model(), best_kernels(), a16());
  for (const KvStorage storage :
       {KvStorage::kBits4, KvStorage::kBits2, KvStorage::kSigns, KvStorage::kBits1}) {
    double means[2];
    for (const KvQuantiser quantiser : {KvQuantiser::kKv1, KvQuantiser::kRotated}) {
      ForwardOptions options = a16();
      options.kv = KvFormat(storage, quantiser);
      Transformer packed(demo_model(), best_kernels(), options);
      const auto result =
          measure_divergence({reference, {}}, {packed, {}}, demo_tokens(), 512, SIZE_MAX, kSilent);
      ASSERT_TRUE(result.ok());
      means[static_cast<std::size_t>(quantiser)] = result->mean;
    }
    const bool is_coarse = kv_storage_info(storage).bits == 1;
    EXPECT_LT(means[1], (is_coarse ? 0.35 : 0.8) * means[0]) << kv_format_text(storage);
  }
}

// The demo model with outlier channels in its keys: some weights of the keys' norm are 12 times as
// large, and those of the queries' norm as much smaller, in both channels of a rotated pair. The
// function of the model is the same.
std::shared_ptr<const Model> model_with_outliers() {
  const GgufFile& file = demo_model().file();
  std::vector<std::byte> bytes(file.bytes().begin(), file.bytes().end());
  const std::size_t half = demo_model().parameters().head_dim / 2;
  for (const GgufTensor& tensor : file.tensors()) {
    const bool is_key = tensor.name.find("attn_k_norm") != std::string_view::npos;
    if (!is_key && tensor.name.find("attn_q_norm") == std::string_view::npos) continue;
    for (const std::size_t channel : {std::size_t{3}, std::size_t{20}})
      for (const std::size_t c : {channel, channel + half}) {
        std::byte* place = bytes.data() + tensor.offset + c * sizeof(float);
        float weight = 0.0F;
        std::memcpy(&weight, place, sizeof weight);
        weight = is_key ? weight * 12.0F : weight / 12.0F;
        std::memcpy(place, &weight, sizeof weight);
      }
  }
  return bankai::testing::model_of_bytes(std::move(bytes));
}

TEST(Divergence, RotatedKeysBearOutlierChannels) {
  const std::shared_ptr<const Model> model = model_with_outliers();
  Transformer plain(demo_model(), best_kernels(), a16());
  Transformer reference(*model, best_kernels(), a16());
  const auto change =
      measure_divergence({plain, {}}, {reference, {}}, demo_tokens(), 512, SIZE_MAX, kSilent);
  ASSERT_TRUE(change.ok());
  EXPECT_LT(change->mean, 1e-7);
  for (const KvStorage storage : kPackedStorages) {
    double means[2];
    for (const KvQuantiser quantiser : {KvQuantiser::kKv1, KvQuantiser::kRotated}) {
      ForwardOptions options = a16();
      options.kv = KvFormat(storage, quantiser);
      Transformer packed(*model, best_kernels(), options);
      const auto result =
          measure_divergence({reference, {}}, {packed, {}}, demo_tokens(), 512, SIZE_MAX, kSilent);
      ASSERT_TRUE(result.ok());
      means[static_cast<std::size_t>(quantiser)] = result->mean;
    }
    EXPECT_LT(means[1], 0.6 * means[0]) << kv_format_text(storage);
  }
}

TEST(Divergence, ChunksMayBeLimitedAndALastTokenIsLeftOut) {
  Transformer transformer(demo_model(), best_kernels(), a8());
  const std::vector<TokenId> tokens = demo_tokens();
  const auto measure = [&](std::size_t count, std::size_t context, std::size_t most) {
    std::size_t last = 0;
    const auto result =
        measure_divergence({transformer, {}}, {transformer, {}}, std::span(tokens).first(count),
                           context, most, [&](std::size_t done, std::size_t) { last = done; });
    EXPECT_TRUE(result.ok());
    EXPECT_EQ(last, result->chunks);
    return std::pair(result->chunks, result->positions);
  };
  EXPECT_EQ(measure(33, 16, SIZE_MAX), std::pair(std::size_t{2}, std::size_t{30}));
  EXPECT_EQ(measure(34, 16, SIZE_MAX), std::pair(std::size_t{3}, std::size_t{31}));
  EXPECT_EQ(measure(34, 16, 2), std::pair(std::size_t{2}, std::size_t{30}));
  EXPECT_EQ(measure(5, 1024, SIZE_MAX), std::pair(std::size_t{1}, std::size_t{4}));
}

TEST(Divergence, NeedsTwoTokensAndOneVocabulary) {
  Transformer demo(demo_model(), best_kernels(), a8());
  const std::vector<TokenId> tokens = demo_tokens();
  const auto shortest =
      measure_divergence({demo, {}}, {demo, {}}, std::span(tokens).first(1), 8, SIZE_MAX, kSilent);
  ASSERT_FALSE(shortest.ok());
  EXPECT_EQ(shortest.error().code, ErrorCode::kBadInput);
  const auto small = bankai::testing::make_small_model({});
  Transformer other(*small, best_kernels(), a8());
  const auto mixed = measure_divergence({demo, {}}, {other, {}}, tokens, 8, SIZE_MAX, kSilent);
  ASSERT_FALSE(mixed.ok());
  EXPECT_EQ(mixed.error().code, ErrorCode::kBadInput);
}

TEST(CompareLogits, IsTheDefinition) {
  const std::vector<float> a = normal_vector(300, 1);
  const std::vector<float> b = normal_vector(300, 2);
  const PositionDivergence found = compare_logits(a, b, 17);
  double za = 0.0;
  double zb = 0.0;
  for (const float v : a) za += std::exp(static_cast<double>(v));
  for (const float v : b) zb += std::exp(static_cast<double>(v));
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double p = std::exp(static_cast<double>(a[i])) / za;
    sum += p * std::log(p / (std::exp(static_cast<double>(b[i])) / zb));
  }
  EXPECT_NEAR(found.divergence, sum, 1e-13);
  EXPECT_NEAR(found.reference_nll, std::log(za) - static_cast<double>(a[17]), 1e-13);
  EXPECT_NEAR(found.nll, std::log(zb) - static_cast<double>(b[17]), 1e-13);
  EXPECT_EQ(found.same_top, std::max_element(a.begin(), a.end()) - a.begin() ==
                                std::max_element(b.begin(), b.end()) - b.begin());
}

TEST(SummariseDivergence, IsTheDefinition) {
  std::vector<PositionDivergence> positions;
  for (int i = 0; i < 1001; ++i) {
    const int shuffled = i * 10 % 1001;
    positions.push_back({static_cast<double>(shuffled), 1.0, 2.0, shuffled < 77});
  }
  const std::vector<std::size_t> ends = {1, 1001};
  const DivergenceResult result = summarise(positions, ends);
  EXPECT_EQ(result.positions, 1001U);
  EXPECT_EQ(result.chunks, 2U);
  EXPECT_DOUBLE_EQ(result.mean, 500.0);
  EXPECT_DOUBLE_EQ(result.mean_bits(), 500.0 / std::log(2.0));
  EXPECT_DOUBLE_EQ(result.median, 500.0);
  EXPECT_DOUBLE_EQ(result.percentile_99, 990.0);
  EXPECT_DOUBLE_EQ(result.percentile_999, 999.0);
  EXPECT_DOUBLE_EQ(result.largest, 1000.0);
  EXPECT_DOUBLE_EQ(result.largest_chunk_mean, 500.5);
  EXPECT_DOUBLE_EQ(result.same_top, 77.0 / 1001.0);
  EXPECT_NEAR(result.mean_delta_p, std::exp(-2.0) - std::exp(-1.0), 1e-12);
  EXPECT_NEAR(result.rms_delta_p, std::exp(-1.0) - std::exp(-2.0), 1e-12);
  EXPECT_DOUBLE_EQ(result.reference_nll, 1.0);
  EXPECT_DOUBLE_EQ(result.nll, 2.0);
}

// A model that overflows is not one without divergence.
TEST(SummariseDivergence, WhatIsNoNumberStaysVisible) {
  const float nan = std::nanf("");
  const std::vector<float> broken = {nan, nan, nan};
  const std::vector<float> whole = {0.0F, 1.0F, 2.0F};
  EXPECT_TRUE(std::isnan(compare_logits(broken, whole, 1).divergence));
  EXPECT_TRUE(std::isnan(compare_logits(whole, broken, 1).divergence));
  std::vector<PositionDivergence> positions;
  for (int i = 0; i < 1000; ++i)
    positions.push_back({i % 100 == 0 ? std::nan("") : 1000.0 - i, 1.0, 2.0, true});
  const std::vector<std::size_t> ends = {1000};
  const DivergenceResult result = summarise(positions, ends);
  EXPECT_TRUE(std::isnan(result.mean));
  EXPECT_TRUE(std::isnan(result.largest));
  EXPECT_NEAR(result.median, 505.0, 1.0);
}

}  // namespace
}  // namespace bankai::model
