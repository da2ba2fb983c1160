// Binary models with a float residual: files, and logits against plain loops in double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "kernels/dispatch.h"
#include "model/binary_residual_model.h"
#include "model/binary_residual_transformer.h"
#include "model/character_model.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

constexpr BinaryShape kShape{40, 128, 2, 4, 256, 32};
using Row = std::vector<double>;

// The formulas of the document, element by element.
class ResidualReference {
 public:
  explicit ResidualReference(const BinaryResidualModel& model) : m_(model) {}

  std::vector<Row> logits(const std::vector<TokenId>& tokens) const {
    std::vector<Row> x;
    for (const TokenId token : tokens) {
      const float* from = m_.embedding.data() + static_cast<std::size_t>(token) * m_.shape.width;
      x.emplace_back(from, from + m_.shape.width);
    }
    for (const BinaryResidualLayer& layer : m_.layers) {
      std::vector<Row> before;
      for (const Row& row : x) before.push_back(norm_signs(row, layer.attention_norm));
      add_attention(layer, before, x);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const Row in =
            m_.rules.parallel_block ? before[i] : norm_signs(x[i], layer.feed_forward_norm);
        Row hidden = signs(affine(layer.gate, in));
        const Row up = signs(affine(layer.up, in));
        for (std::size_t c = 0; c < hidden.size(); ++c) hidden[c] *= up[c];
        add(affine(layer.down, hidden), x[i]);
      }
    }
    std::vector<Row> result;
    for (const Row& row : x) result.push_back(affine(m_.output, norm_signs(row, m_.output_norm)));
    return result;
  }

 private:
  static Row signs(const Row& in) {
    Row out;
    for (const double value : in) out.push_back(value >= 0 ? 1 : -1);
    return out;
  }
  static void add(const Row& change, Row& x) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += change[i];
  }
  Row norm_signs(const Row& x, const std::vector<float>& gamma) const {
    double squares = 0;
    for (const double value : x) squares += value * value;
    const double r = 1 / std::sqrt(squares / static_cast<double>(x.size()) +
                                   static_cast<double>(m_.rules.epsilon));
    Row out;
    for (std::size_t i = 0; i < x.size(); ++i)
      out.push_back(x[i] * r * static_cast<double>(gamma[i]));
    return signs(out);
  }
  Row affine(const BinaryChannels& channels, const Row& in) const {
    Row out;
    for (std::size_t r = 0; r < channels.scale.size(); ++r) {
      double sum = 0;
      for (std::size_t c = 0; c < in.size(); ++c) {
        const bool bit = (channels.weights.row(r)[c / 64] >> c % 64 & 1U) != 0;
        sum += bit ? in[c] : -in[c];
      }
      if (m_.rules.divide_by_root) sum /= std::sqrt(static_cast<double>(in.size()));
      const auto scale = static_cast<double>(channels.scale[r]);
      const auto offset = static_cast<double>(channels.offset[r]);
      out.push_back(m_.rules.offset_before_scale ? scale * (sum + offset) : scale * sum + offset);
    }
    return out;
  }
  void add_attention(const BinaryResidualLayer& layer, const std::vector<Row>& in,
                     std::vector<Row>& x) const {
    std::vector<Row> q, k, v;
    for (const Row& row : in) {
      q.push_back(signs(affine(layer.q, row)));
      k.push_back(signs(affine(layer.k, row)));
      v.push_back(signs(affine(layer.v, row)));
    }
    const std::size_t bits = m_.shape.head_bits();
    for (std::size_t i = 0; i < x.size(); ++i) {
      Row chosen;
      for (std::size_t h = 0; h < m_.shape.num_heads; ++h) {
        std::size_t best = 0;
        double best_score = -1e300;
        for (std::size_t j = 0; j <= i; ++j) {
          double score = -static_cast<double>(m_.slopes[h]) * static_cast<double>(i - j) /
                         m_.rules.slope_denominator;
          for (std::size_t c = h * bits; c < (h + 1) * bits; ++c) score += q[i][c] * k[j][c];
          if (score > best_score || (m_.rules.tie == TieRule::kLatest && score == best_score)) {
            best = j;
            best_score = score;
          }
        }
        for (std::size_t c = h * bits; c < (h + 1) * bits; ++c) chosen.push_back(v[best][c]);
      }
      add(affine(layer.o, chosen), x[i]);
    }
  }

  const BinaryResidualModel& m_;
};

std::vector<BinaryResidualRules> rule_sets() {
  BinaryResidualRules parallel;
  parallel.parallel_block = true;
  parallel.tie = TieRule::kLatest;
  BinaryResidualRules scaled;
  scaled.offset_before_scale = true;
  scaled.divide_by_root = true;
  scaled.slope_denominator = 4;
  return {BinaryResidualRules{}, parallel, scaled};
}

const std::vector<TokenId> kTokens = {3, 7, 3, 3, 39, 0, 7, 3, 12, 3, 7, 7, 1, 3};

TEST(BinaryResidual, LogitsEqualThePlainReferenceOnEveryTable) {
  for (const BinaryResidualRules& rules : rule_sets()) {
    const BinaryResidualModel model = random_binary_residual(kShape, rules, 6);
    const std::vector<Row> expected = ResidualReference(model).logits(kTokens);
    std::vector<float> first;
    for (const kernels::KernelTable* table : kernels::all_kernels()) {
      if (!kernels::is_supported(*table)) continue;
      for (const int threads : {1, 2}) {
        const BinaryResidualTransformer transformer(model, *table, threads);
        BinaryCache cache(kShape);
        // In two calls.
        std::vector<float> logits = transformer.run(std::span(kTokens).first(5), cache);
        const std::vector<float> more = transformer.run(std::span(kTokens).subspan(5), cache);
        logits.insert(logits.end(), more.begin(), more.end());
        ASSERT_EQ(logits.size(), kTokens.size() * kShape.vocabulary);
        for (std::size_t i = 0; i < logits.size(); ++i)
          ASSERT_NEAR(static_cast<double>(logits[i]),
                      expected[i / kShape.vocabulary][i % kShape.vocabulary], 1e-5)
              << table->name << " " << i;
        if (first.empty()) first = logits;
        ASSERT_EQ(std::memcmp(logits.data(), first.data(), logits.size() * sizeof(float)), 0);
      }
    }
  }
}

TEST(BinaryResidual, CharactersAreFedInAnyPieces) {
  const BinaryResidualModel model = random_binary_residual(kShape, {}, 6);
  const BinaryResidualTransformer transformer(model, *kernels::all_kernels().front(), 1);
  BinaryCache cache(kShape);
  const std::vector<float> expected = transformer.run(kTokens, cache);
  ResidualCharacterModel characters(transformer);
  std::vector<float> logits;
  characters.feed(std::span(kTokens).first(6), true, logits);
  EXPECT_EQ(logits.size(), kShape.vocabulary);
  characters.feed(std::span(kTokens).subspan(6), true, logits);
  EXPECT_EQ(logits, std::vector<float>(expected.end() - 40, expected.end()));
  characters.clear();
  characters.feed(kTokens, false, logits);
  EXPECT_EQ(logits, expected);
}

std::string file_of(const testing::TempDir& dir, const BinaryResidualModel& model) {
  const std::string path = dir.path("m.gguf");
  EXPECT_TRUE(write_binary_residual(model, path, Overwrite::kReplace).ok());
  return path;
}

TEST(BinaryResidual, WhatIsWrittenIsRead) {
  const testing::TempDir dir;
  for (const BinaryResidualRules& rules : rule_sets()) {
    const BinaryResidualModel model = random_binary_residual(kShape, rules, 7);
    const std::string path = file_of(dir, model);
    const std::string content = *read_file(path);
    const auto file = GgufFile::open(path);
    ASSERT_TRUE(file.ok());
    const auto again = read_binary_residual(*file);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(*read_file(file_of(dir, *again)), content);
  }
}

TEST(BinaryResidual, DamageIsRefusedOrGivesAnotherModel) {
  const testing::TempDir dir;
  const BinaryShape tiny{2, 128, 1, 2, 128, 4};
  const std::string content = *read_file(file_of(dir, random_binary_residual(tiny, {}, 8)));
  std::vector<std::byte> bytes(content.size());
  std::memcpy(bytes.data(), content.data(), content.size());
  std::size_t refused = 0;
  for (std::size_t i = 0; i < bytes.size(); i += i < 4000 ? 1 : 7) {
    const std::byte kept = bytes[i];
    bytes[i] ^= std::byte{0x41};
    const auto file = GgufFile::parse(bytes, "f.gguf");
    if (file.ok()) {
      const auto model = read_binary_residual(*file);
      if (!model.ok()) {
        EXPECT_NE(model.error().message.find("f.gguf"), std::string::npos) << i;
        ++refused;
      }
    }
    bytes[i] = kept;
  }
  EXPECT_GT(refused, 50U);
}

}  // namespace
}  // namespace bankai::model
