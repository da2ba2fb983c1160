#include "model/golf_transformer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/counter_rng.h"
#include "kernels/dispatch.h"

namespace bankai::model {
namespace {

std::vector<float> numbers(std::size_t count, std::uint64_t seed, double size, double mean = 0.0) {
  const CounterRng rng(seed);
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(mean + size * (2.0 * rng.uniform(i) - 1.0));
  return values;
}

GolfMatrix matrix(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  return GolfMatrix({rows, cols, 0.7, numbers(rows * cols, seed, 0.5), {}, {}, 0});
}

// Every part that these models have: a factored table, skips, smearing, recurrence.
GolfModel small_model(bool quantizes) {
  GolfModel model;
  GolfParameters& p = model.parameters;
  p.vocabulary = 37;
  p.embedding = 24;
  p.token_embedding = 10;
  p.heads = 4;
  p.kv_heads = 2;
  p.head_dim = 6;
  p.hidden = 40;
  p.blocks = 2;
  p.passes = 4;
  p.skips = 2;
  p.leak = 0.25;
  p.yarn_factor = 2.0;
  p.quantizes_activations = quantizes;
  p.normalizes_projection_inputs = !quantizes;
  model.tokens = matrix(37, 10, 1);
  model.expand = matrix(24, 10, 2);
  model.shrink = matrix(10, 24, 3);
  for (std::uint64_t b = 0; b < 2; ++b) {
    GolfBlock block;
    block.query = matrix(24, 24, 10 + b);
    block.key = matrix(12, 24, 20 + b);
    block.value = matrix(12, 24, 30 + b);
    block.projection = matrix(24, 24, 40 + b);
    block.up = matrix(40, 24, 50 + b);
    block.down = matrix(24, 40, 60 + b);
    block.attention_scale = numbers(24, 70 + b, 0.2, 0.7);
    block.mlp_scale = numbers(24, 80 + b, 0.2, 0.7);
    block.residual_mix = numbers(48, 90 + b, 0.2, 0.6);
    block.query_gain = numbers(4, 100 + b, 0.3, 1.5);
    block.smear_gate = numbers(24, 110 + b, 0.5);
    model.blocks.push_back(std::move(block));
  }
  model.skip_weights = numbers(48, 4, 0.2, 0.8);
  model.output_bias = numbers(37, 5, 0.5);
  return model;
}

// Double precision, and every format with every quantiser.
std::vector<GolfKvFormat> all_formats() {
  std::vector<GolfKvFormat> formats = {std::nullopt};
  for (const KvStorageInfo& info : kv_storages()) {
    formats.emplace_back(info.storage);
    if (formats.back()->is_packed())
      formats.emplace_back(KvFormat(info.storage, KvQuantiser::kRotated));
  }
  return formats;
}

std::vector<TokenId> some_tokens(std::size_t count) {
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < count; ++i) tokens.push_back(static_cast<TokenId>(i * i % 37));
  return tokens;
}

std::vector<float> all_logits(const GolfTransformer& transformer,
                              const std::vector<TokenId>& tokens) {
  std::vector<float> logits;
  const Status done = transformer.stream_logits(tokens, [&](std::span<const float> rows) {
    logits.insert(logits.end(), rows.begin(), rows.end());
    return Status();
  });
  EXPECT_TRUE(done.ok());
  return logits;
}

TEST(GolfTransformer, GivesTheSameBytesForAnyThreadsAndEveryTable) {
  const std::vector<TokenId> tokens = some_tokens(40);
  for (const bool quantizes : {false, true}) {
    const GolfModel model = small_model(quantizes);
    std::vector<std::vector<float>> different;
    for (const GolfKvFormat& format : all_formats()) {
      if (quantizes && format) continue;  // what both have in common was tried
      const int threads = !format || format->storage == KvStorage::kBits2 ? 2 : 1;
      const GolfTransformer scalar(model, *kernels::all_kernels().front(), threads, format);
      const std::vector<float> expected = all_logits(scalar, tokens);
      ASSERT_EQ(expected.size(), 40U * 37U);
      EXPECT_EQ(std::count(different.begin(), different.end(), expected), 0)
          << golf_kv_text(format) << " reaches the logits";
      different.push_back(expected);
      for (const kernels::KernelTable* table : kernels::all_kernels()) {
        if (!kernels::is_supported(*table)) continue;
        EXPECT_EQ(all_logits(GolfTransformer(model, *table, 1, format), tokens), expected)
            << golf_kv_text(format) << ", " << table->name;
      }
    }
  }
}

TEST(GolfTransformer, ACachedSequenceEqualsTheWholeHoweverItIsCut) {
  const std::vector<TokenId> tokens = some_tokens(23);
  const GolfModel model = small_model(false);
  for (const GolfKvFormat& format : all_formats()) {
    const GolfTransformer transformer(model, *kernels::all_kernels().front(), 1, format);
    const std::vector<float> whole = all_logits(transformer, tokens);
    for (const std::size_t step : {1U, 5U, 23U}) {
      GolfCache cache;
      for (std::size_t first = 0; first < tokens.size(); first += step) {
        const std::size_t count = std::min(step, tokens.size() - first);
        const std::vector<float> logits =
            transformer.advance(std::span(tokens).subspan(first, count), cache);
        const auto row = whole.begin() + static_cast<std::ptrdiff_t>((first + count - 1) * 37);
        EXPECT_TRUE(std::equal(logits.begin(), logits.end(), row)) << step << ", " << first;
        EXPECT_EQ(cache.positions, first + count);
      }
    }
  }
}

TEST(GolfTransformer, ACacheTakesWhatItsFormatSays) {
  const GolfModel model = small_model(false);
  constexpr std::size_t kPositions = 32;  // whole blocks
  for (const GolfKvFormat& format : all_formats()) {
    GolfCache cache;
    GolfTransformer(model, *kernels::all_kernels().front(), 1, format)
        .advance(some_tokens(kPositions), cache);
    std::size_t bytes = 0;
    for (const GolfPast& past : cache.passes)
      bytes += (past.keys.size() + past.values.size()) * sizeof(double) +
               (past.kept ? past.kept->bytes() : 0);
    // A key's codes are counted as whole bytes; in memory 16 keys fill them together.
    const std::size_t wanted = kPositions * golf_cache_bytes(model.parameters, format);
    EXPECT_LE(bytes, wanted) << golf_kv_text(format);
    EXPECT_GT(bytes + kPositions * 4 * 2, wanted) << golf_kv_text(format);
  }
}

TEST(GolfTransformer, AnErrorOfTheWriterEndsTheStream) {
  const GolfModel model = small_model(false);
  const GolfTransformer transformer(model, *kernels::all_kernels().front(), 1);
  // More than one part.
  EXPECT_EQ(all_logits(transformer, some_tokens(300)).size(), 300U * 37U);
  int calls = 0;
  const Status done = transformer.stream_logits(some_tokens(300), [&](std::span<const float>) {
    ++calls;
    return Status(Error{ErrorCode::kIo, "full"});
  });
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, ErrorCode::kIo);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace bankai::model
