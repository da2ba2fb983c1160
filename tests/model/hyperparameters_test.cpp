#include "model/hyperparameters.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/support/gguf_builder.h"

namespace bankai::model {
namespace {

using bankai::testing::GgufImage;
using bankai::testing::kGgufF32;

// What a small file says; a test changes, adds or removes entries.
struct Description {
  std::map<std::string, std::uint32_t> counts = {
      {"block_count", 2},           {"context_length", 512},        {"embedding_length", 256},
      {"feed_forward_length", 768}, {"attention.head_count", 4},    {"attention.head_count_kv", 2},
      {"attention.key_length", 32}, {"attention.value_length", 32},
  };
  std::map<std::string, float> floats = {{"attention.layer_norm_rms_epsilon", 1e-5F},
                                         {"rope.freq_base", 1e6F}};
  std::map<std::string, std::string> texts;
  std::string architecture = "qwen3";
  std::string prefix = "qwen3.";
  std::string extra_key;
  std::string extra_tensor;
  bool has_embedding = true;
};

Result<Hyperparameters> read(const std::function<void(Description&)>& change) {
  Description description;
  change(description);
  GgufImage image;
  if (!description.architecture.empty())
    image.string("general.architecture", description.architecture);
  if (!description.extra_key.empty()) image.u32(description.extra_key, 1);
  for (const auto& [key, value] : description.counts) image.u32(description.prefix + key, value);
  for (const auto& [key, value] : description.floats)
    image.number(description.prefix + key, kGgufF32, value);
  for (const auto& [key, value] : description.texts) image.string(description.prefix + key, value);
  if (description.has_embedding) image.tensor("token_embd.weight", {256, 300}, 0, 256 * 300 * 4);
  if (!description.extra_tensor.empty()) image.tensor(description.extra_tensor, {32}, 0, 128);
  const auto bytes = image.build();
  const auto file = GgufFile::parse(bytes, "model.gguf");
  EXPECT_TRUE(file.ok()) << file.error().message;
  return read_hyperparameters(*file);
}

Hyperparameters good(const std::function<void(Description&)>& change) {
  const auto h = read(change);
  EXPECT_TRUE(h.ok()) << (h.ok() ? "" : h.error().message);
  return h.ok() ? *h : Hyperparameters();
}

void expect_error(const std::function<void(Description&)>& change, ErrorCode code,
                  const std::string& part) {
  const auto h = read(change);
  ASSERT_FALSE(h.ok()) << part;
  EXPECT_EQ(h.error().code, code) << h.error().message;
  EXPECT_NE(h.error().message.find(part), std::string::npos) << h.error().message;
  EXPECT_TRUE(h.error().message.starts_with("model.gguf: ")) << h.error().message;
}

const auto kUnchanged = [](Description&) {};

TEST(Hyperparameters, AreThoseOfTheFile) {
  const Hyperparameters h = good(kUnchanged);
  EXPECT_EQ(h.architecture, "qwen3");
  EXPECT_EQ(h.num_layers, 2U);
  EXPECT_EQ(h.embedding, 256U);
  EXPECT_EQ(h.feed_forward, 768U);
  EXPECT_EQ(h.num_heads, 4U);
  EXPECT_EQ(h.num_kv_heads, 2U);
  EXPECT_EQ(h.head_dim, 32U);
  EXPECT_EQ(h.query_dim(), 128U);
  EXPECT_EQ(h.kv_dim(), 64U);
  EXPECT_EQ(h.context, 512U);
  EXPECT_EQ(h.vocabulary, 300U);
  EXPECT_EQ(h.rms_epsilon, 1e-5F);
  EXPECT_EQ(h.rope.dimensions, 32U);
  EXPECT_EQ(h.rope.freq_base, static_cast<double>(1e6F));
  EXPECT_EQ(h.rope.scaling, RopeScaling::kNone);
}

// A prefix may hold dots and hyphens.
TEST(Hyperparameters, FollowTheArchitecture) {
  for (const Architecture& architecture : kArchitectures) {
    const Hyperparameters h = good([&](Description& d) {
      d.architecture = architecture.name;
      d.prefix = d.architecture + ".";
    });
    EXPECT_EQ(h.architecture, architecture.name);
    EXPECT_EQ(h.num_layers, 2U);
    EXPECT_EQ(h.activation, architecture.activation);
    EXPECT_EQ(h.has_qk_norm, architecture.has_qk_norm);
    EXPECT_EQ(h.has_sub_norms, architecture.has_sub_norms);
    EXPECT_EQ(h.has_biases, architecture.has_biases);
    EXPECT_EQ(h.rope.neighbours, architecture.rotates_neighbours);
  }
  EXPECT_EQ(find_architecture("bitnet-b1.58")->activation, Activation::kRelu2);
  EXPECT_EQ(find_architecture("bitnet")->activation, Activation::kSilu);
  expect_error([](Description& d) { d.architecture = "bitnet-b1.58"; }, ErrorCode::kBadInput,
               "'bitnet-b1.58.block_count' is missing");
}

TEST(Hyperparameters, HaveTheUsualFallbacks) {
  const Hyperparameters h = good([](Description& d) {
    for (const char* key :
         {"attention.head_count_kv", "attention.key_length", "attention.value_length"})
      d.counts.erase(key);
    d.floats.erase("rope.freq_base");
  });
  EXPECT_EQ(h.num_kv_heads, 4U);
  EXPECT_EQ(h.head_dim, 64U);
  EXPECT_EQ(h.rope.freq_base, 10000.0);
}

TEST(Hyperparameters, ReadRopeScaling) {
  const Hyperparameters linear = good([](Description& d) {
    d.texts["rope.scaling.type"] = "linear";
    d.floats["rope.scaling.factor"] = 2.0F;
  });
  EXPECT_EQ(linear.rope.scaling, RopeScaling::kLinear);
  EXPECT_EQ(linear.rope.factor, 2.0);
  // A factor without a type is linear, as in older files.
  EXPECT_EQ(good([](Description& d) { d.floats["rope.scaling.factor"] = 8.0F; }).rope.scaling,
            RopeScaling::kLinear);
  EXPECT_EQ(good([](Description& d) {
              d.texts["rope.scaling.type"] = "none";
              d.floats["rope.scaling.factor"] = 8.0F;
            }).rope.scaling,
            RopeScaling::kNone);
  const Hyperparameters yarn = good([](Description& d) {
    d.texts["rope.scaling.type"] = "yarn";
    d.floats["rope.scaling.factor"] = 4.0F;
    d.counts["rope.scaling.original_context_length"] = 128;
    d.floats["rope.scaling.attn_factor"] = 0.5F;
  });
  EXPECT_EQ(yarn.rope.scaling, RopeScaling::kYarn);
  EXPECT_EQ(yarn.rope.factor, 4.0);
  EXPECT_EQ(yarn.rope.original_context, 128.0);
  EXPECT_EQ(yarn.rope.attention_factor, 0.5);
  EXPECT_EQ(yarn.rope.beta_fast, 32.0);
  EXPECT_EQ(yarn.rope.beta_slow, 1.0);
  EXPECT_EQ(good([](Description& d) {
              d.texts["rope.scaling.type"] = "yarn";
              d.floats["rope.scaling.factor"] = 4.0F;
            }).rope.original_context,
            512.0);
}

TEST(Hyperparameters, AMissingNumberIsNamed) {
  for (const char* key : {"block_count", "context_length", "embedding_length",
                          "feed_forward_length", "attention.head_count"})
    expect_error([&](Description& d) { d.counts.erase(key); }, ErrorCode::kBadInput,
                 std::string("qwen3.") + key);
  expect_error([](Description& d) { d.floats.erase("attention.layer_norm_rms_epsilon"); },
               ErrorCode::kBadInput, "layer_norm_rms_epsilon");
  expect_error([](Description& d) { d.architecture.clear(); }, ErrorCode::kBadInput,
               "general.architecture");
  expect_error([](Description& d) { d.has_embedding = false; }, ErrorCode::kBadInput,
               "token_embd.weight");
}

TEST(Hyperparameters, ZeroAndAbsurdNumbersAreRefused) {
  for (const auto& [key, value] : Description().counts) {
    for (const std::uint32_t wrong : {0U, 0xffffffffU})
      expect_error([&, name = key](Description& d) { d.counts[name] = wrong; },
                   ErrorCode::kBadInput, key);
  }
  for (const float wrong : {0.0F, -1.0F, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    expect_error([&](Description& d) { d.floats["attention.layer_norm_rms_epsilon"] = wrong; },
                 ErrorCode::kBadInput, "layer_norm_rms_epsilon");
    expect_error([&](Description& d) { d.floats["rope.freq_base"] = wrong; }, ErrorCode::kBadInput,
                 "rope.freq_base");
  }
  for (const float wrong : {0.5F, -2.0F, std::numeric_limits<float>::infinity()})
    expect_error([&](Description& d) { d.floats["rope.scaling.factor"] = wrong; },
                 ErrorCode::kBadInput, "rope.scaling.factor");
}

TEST(Hyperparameters, ContradictionsAreRefused) {
  expect_error([](Description& d) { d.counts["attention.head_count_kv"] = 3; },
               ErrorCode::kBadInput, "4 attention heads cannot share 3");
  expect_error([](Description& d) { d.counts["attention.value_length"] = 64; },
               ErrorCode::kUnsupported, "value_length 64");
  expect_error([](Description& d) { d.counts["rope.dimension_count"] = 31; }, ErrorCode::kBadInput,
               "dimension_count 31 is odd");
  expect_error([](Description& d) { d.counts["rope.dimension_count"] = 34; }, ErrorCode::kBadInput,
               "dimension_count");
}

TEST(Hyperparameters, WhatIsNotImplementedIsSaid) {
  expect_error(
      [](Description& d) { d.architecture = "gptj"; }, ErrorCode::kUnsupported,
      "architecture 'gptj' is not supported; known: qwen3, qwen2, llama, bitnet, bitnet-b1.58");
  expect_error([](Description& d) { d.extra_tensor = "blk.0.attn_q.bias"; },
               ErrorCode::kUnsupported, "tensor 'blk.0.attn_q.bias' is part of the computation");
  expect_error(
      [](Description& d) {
        d.architecture = "qwen2";
        d.prefix = "qwen2.";
        d.extra_tensor = "blk.0.attn_output.bias";
      },
      ErrorCode::kUnsupported, "tensor 'blk.0.attn_output.bias' is part of the computation");
  expect_error([](Description& d) { d.texts["rope.scaling.type"] = "longrope"; },
               ErrorCode::kUnsupported, "longrope");
  expect_error([](Description& d) { d.extra_key = "prism.hadamard.block_size"; },
               ErrorCode::kUnsupported, "Hadamard");
}

}  // namespace
}  // namespace bankai::model
