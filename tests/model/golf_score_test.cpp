#include "model/golf_score.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace bankai::model {
namespace {

std::string shard(std::vector<std::int32_t> header, std::size_t num_tokens) {
  header.resize(256);
  std::string bytes(256 * 4 + 2 * num_tokens, '\0');
  std::memcpy(bytes.data(), header.data(), 256 * 4);
  for (std::size_t i = 0; i < num_tokens; ++i) bytes[1024 + 2 * i] = static_cast<char>(i + 1);
  return bytes;
}

TEST(GolfScore, WindowsAreThoseOfTheField) {
  const auto starts = [](std::size_t tokens, std::size_t context, std::size_t stride,
                         std::size_t limit) {
    return golf_window_starts(tokens, {context, stride, limit});
  };
  using Starts = std::vector<std::size_t>;
  EXPECT_EQ(starts(9, 4, 4, 0), (Starts{0, 4}));
  EXPECT_EQ(starts(8, 4, 4, 0), (Starts{0}));  // the rest does not fill a window
  EXPECT_EQ(starts(9, 4, 2, 0), (Starts{0, 2, 4}));
  EXPECT_EQ(starts(9, 4, 1, 3), (Starts{0, 1, 2}));
  EXPECT_EQ(starts(3, 4, 4, 0), (Starts{0}));
  // PR #126's sample: 256 windows of 1,024 at stride 512 score 131,584 tokens.
  const auto sample = starts(1000000, 1024, 512, 256);
  EXPECT_EQ(sample.size(), 256U);
  EXPECT_EQ(1024 + 512 * (sample.size() - 1), 131584U);
}

TEST(GolfScore, TokenFilesAreReadAndDamageIsRefused) {
  const std::string good = shard({20240520, 1, 3}, 3);
  ASSERT_TRUE(is_token_shard(good));
  EXPECT_EQ(read_token_shard(good).value(), (std::vector<TokenId>{1, 2, 3}));
  EXPECT_FALSE(is_token_shard("any text"));
  EXPECT_FALSE(is_token_shard("ab"));
  for (const std::string& bad : {shard({20240520, 2, 3}, 3), shard({20240520, 1, 4}, 3),
                                 shard({20240520, 1, -1}, 3), good.substr(0, 1000)}) {
    const auto read = read_token_shard(bad);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, ErrorCode::kBadInput);
  }
}

TEST(GolfParameters, SettingsAndSizesAreChecked) {
  GolfParameters parameters;
  EXPECT_TRUE(set_golf_parameter(parameters, "soft-cap=poly:10").ok());
  EXPECT_EQ(parameters.soft_cap, GolfSoftCap::kPolynomial);
  EXPECT_EQ(parameters.soft_cap_limit, 10.0);
  EXPECT_TRUE(set_golf_parameter(parameters, "quantize-activations=1").ok());
  EXPECT_TRUE(parameters.quantizes_activations);
  for (const char* wrong :
       {"", "=", "eps", "eps=", "eps=nan", "eps=1x", "eps=-1", "context=0", "context=1.5",
        "soft-cap=tanh", "soft-cap=poly:0", "leak=2", "other=1"}) {
    const Status set = set_golf_parameter(parameters, wrong);
    ASSERT_FALSE(set.ok()) << wrong;
    EXPECT_EQ(set.error().code, ErrorCode::kUsage) << wrong;
  }
  parameters.vocabulary = parameters.embedding = parameters.token_embedding = 8;
  parameters.heads = 2;
  parameters.kv_heads = 1;
  parameters.head_dim = 4;
  parameters.hidden = 8;
  parameters.blocks = parameters.passes = 2;
  parameters.skips = 1;
  EXPECT_TRUE(check_golf_parameters(parameters).ok());
  for (const auto& damage : std::vector<void (*)(GolfParameters&)>{
           [](GolfParameters& p) { p.head_dim = 3; }, [](GolfParameters& p) { p.heads = 3; },
           [](GolfParameters& p) { p.kv_heads = 0; }, [](GolfParameters& p) { p.skips = 2; },
           [](GolfParameters& p) { p.hidden = std::size_t{1} << 30U; }}) {
    GolfParameters damaged = parameters;
    damage(damaged);
    EXPECT_FALSE(check_golf_parameters(damaged).ok());
  }
}

TEST(SentencePieces, WhatIsNoVocabularyIsRefused) {
  for (const char* bytes : {"", "no vocabulary", "\x0a\xff"}) {
    const auto read = SentencePieces::read(bytes);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, ErrorCode::kBadInput);
  }
}

}  // namespace
}  // namespace bankai::model
