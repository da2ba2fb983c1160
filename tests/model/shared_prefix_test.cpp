// Segments that share the beginning of another one, and blocks in which only some tokens ask: the
// same bits as whole sequences.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/model/forward_checks.h"
#include "tests/support/small_model.h"

namespace bankai::model {
namespace {

using bankai::testing::random_tokens;
using bankai::testing::SmallShape;

// A sequence of 40 tokens; one that leaves it after 21, one that leaves that one after 33, and one
// that leaves the first after 16, where a block of keys ends.
struct Branches {
  std::vector<std::vector<TokenId>> sequences;
  std::vector<TokenId> block;
  std::vector<Segment> segments;

  explicit Branches(const Model& model) {
    add(model, 40, Segment::kNoParent, 0);
    add(model, 37, 0, 21);
    add(model, 35, 1, 33);
    add(model, 17, 0, 16);
  }
  void add(const Model& model, std::size_t length, std::size_t parent, std::size_t past) {
    std::vector<TokenId> tokens =
        random_tokens(length, model.parameters().vocabulary, sequences.size() + 1);
    if (past > 0) std::copy_n(sequences[parent].begin(), past, tokens.begin());
    segments.push_back({block.size(), length - past, nullptr, past, parent});
    block.insert(block.end(), tokens.begin() + static_cast<std::ptrdiff_t>(past), tokens.end());
    sequences.push_back(std::move(tokens));
  }
};

SmallShape shape_of(const char* architecture) {
  SmallShape shape;
  shape.architecture = architecture;
  shape.num_layers = 2;
  shape.embedding = 256;
  shape.num_heads = 4;
  shape.num_kv_heads = 2;
  return shape;
}

TEST(SharedPrefix, branches_have_the_logits_of_their_sequences) {
  for (const char* architecture : {"qwen3", "bitnet-b1.58"}) {
    const auto model = bankai::testing::make_small_model(shape_of(architecture));
    const Branches branches(*model);
    const std::size_t vocabulary = model->parameters().vocabulary;
    for (const ForwardOptions& one_thread : {a8(), a16()})
      for (const int threads : {1, 2}) {
        ForwardOptions options = one_thread;
        options.threads = threads;
        Transformer transformer(*model, best_kernels(), options);
        const std::vector<float> logits =
            block_logits(transformer, branches.block, branches.segments);
        for (std::size_t s = 0; s < branches.sequences.size(); ++s) {
          const Segment& segment = branches.segments[s];
          const std::vector<float> whole = sequence_logits(transformer, branches.sequences[s]);
          ASSERT_TRUE(std::equal(
              whole.begin() + static_cast<std::ptrdiff_t>(segment.past * vocabulary), whole.end(),
              logits.begin() + static_cast<std::ptrdiff_t>(segment.first_token * vocabulary)))
              << architecture << ", branch " << s;
        }
      }
  }
}

TEST(SharedPrefix, some_queries_read_what_they_read_among_all) {
  const auto model = bankai::testing::make_small_model(shape_of("qwen3"));
  const Hyperparameters& h = model->parameters();
  const Branches branches(*model);
  const std::size_t tokens = branches.block.size();
  for (const ForwardOptions& options : {a8(), a16()}) {
    Transformer transformer(*model, best_kernels(), options);
    std::vector<float> x(tokens * h.embedding);
    transformer.embed(branches.block, {}, x.data());
    AttentionProjections projections;
    std::vector<float> all = x;
    transformer.project_attention(1, tokens, x.data(), {}, projections);
    transformer.finish_attention(1, branches.segments, projections, {}, all.data());
    for (const std::vector<std::size_t>& chosen :
         {std::vector<std::size_t>{0}, {tokens - 1}, {3, 4, 5, 30, 39, 40, 41, 44, 56, 58}}) {
      std::vector<float> some;
      for (const std::size_t token : chosen)
        some.insert(some.end(), x.begin() + static_cast<std::ptrdiff_t>(token * h.embedding),
                    x.begin() + static_cast<std::ptrdiff_t>((token + 1) * h.embedding));
      transformer.project_keys_values(1, tokens, x.data(), {}, projections);
      transformer.project_queries(1, chosen.size(), some.data(), {}, projections);
      transformer.finish_attention(1, branches.segments, projections, {}, some.data(), chosen);
      for (std::size_t i = 0; i < chosen.size(); ++i)
        ASSERT_TRUE(std::equal(some.begin() + static_cast<std::ptrdiff_t>(i * h.embedding),
                               some.begin() + static_cast<std::ptrdiff_t>((i + 1) * h.embedding),
                               all.begin() + static_cast<std::ptrdiff_t>(chosen[i] * h.embedding)));
    }
  }
}

}  // namespace
}  // namespace bankai::model
