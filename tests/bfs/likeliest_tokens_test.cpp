#include "bfs/likeliest_tokens.h"

#include <gtest/gtest.h>

#include "bfs/answer.h"
#include "model/generation.h"
#include "tests/bfs/demo_data.h"

namespace bankai::bfs {
namespace {

using model::ScoredSequence;
using model::TokenId;

// What one step of generation gives behind the true tokens before each target.
std::vector<TokenId> by_generation(model::Transformer& transformer,
                                   const ScoredSequence& sequence) {
  std::vector<TokenId> tokens;
  for (std::size_t i = sequence.first_target; i < sequence.tokens.size(); ++i)
    model::generate(transformer, {}, std::span(sequence.tokens).first(i), 1, {.temperature = 0.0},
                    [&](TokenId token) {
                      tokens.push_back(token);
                      return true;
                    });
  return tokens;
}

TEST(LikeliestTokens, are_those_of_each_sequence_alone) {
  std::vector<ScoredSequence> sequences;
  for (const char* file : {"sums.search", "calculus.search", "capitals"})
    for (const Probe& probe : demo_probes(file, 0, 14))
      sequences.push_back(answer_sequence(demo_model().tokenizer(), probe, probe.correct));
  sequences.push_back(sequences.front());
  model::Transformer transformer = make_transformer(demo_model());
  std::vector<std::vector<TokenId>> expected;
  for (const ScoredSequence& sequence : sequences)
    expected.push_back(by_generation(transformer, sequence));
  for (const int threads : {1, 2}) {
    model::Transformer runner =
        make_transformer(demo_model(), transformer.options().activations, threads);
    EXPECT_EQ(likeliest_tokens(runner, sequences), expected) << threads;
  }
  EXPECT_TRUE(likeliest_tokens(transformer, {}).empty());
}

}  // namespace
}  // namespace bankai::bfs
