#include "bfs/rivals.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bfs/answer.h"
#include "bfs/answer_check.h"
#include "bfs/overlay.h"
#include "mpi/thread_communicator.h"
#include "tests/bfs/demo_data.h"
#include "tests/bfs/reference_model.h"

namespace bankai::bfs {
namespace {

using model::TokenId;

const model::Tokenizer& tokenizer() { return demo_model().tokenizer(); }

std::vector<Probe> mixed_probes() {
  std::vector<Probe> probes;
  for (const char* name : {"sums.search", "calculus.search", "capitals", "comparison.search",
                           "short_capitals.search", "primes.search", "code"})
    for (const Probe& probe : demo_probes(name, 0, 8)) probes.push_back(probe);
  return probes;
}

// The likeliest token after the prompt other than the right answer's first.
TokenId likeliest_other(model::Transformer& transformer, const Probe& probe) {
  const model::ScoredSequence right = answer_sequence(tokenizer(), probe, probe.correct);
  std::vector<double> logs =
      reference_log_probabilities(transformer, std::span(right.tokens).first(right.first_target));
  logs[static_cast<std::size_t>(right.tokens[right.first_target])] = -1e300;
  return static_cast<TokenId>(std::max_element(logs.begin(), logs.end()) - logs.begin());
}

TEST(FindRivals, a_rival_is_never_the_right_answer) {
  model::Transformer transformer = make_transformer(demo_model());
  const std::vector<Probe> probes = mixed_probes();
  const std::vector<Rival> rivals = find_rivals(transformer, {}, probes);
  ASSERT_EQ(rivals.size(), probes.size());
  for (std::size_t i = 0; i < probes.size(); ++i) {
    ASSERT_FALSE(rivals[i].empty());
    const std::string text = tokenizer().decode(rivals[i]);
    EXPECT_FALSE(is_correct_answer(probes[i], text.substr(0, text.find('\n'))))
        << probes[i].name << ": " << text;
  }
}

TEST(FindRivals, a_rival_is_the_wrong_answer_given_or_the_next_best_start) {
  const std::vector<patch::Flip> flips = {patch::row_flip({5, Projection::kGate}, 10),
                                          patch::row_flip({4, Projection::kUp}, 11)};
  model::Transformer transformer = make_transformer(demo_model());
  const std::vector<Probe> probes = mixed_probes();
  std::size_t num_right = 0;
  for (const std::vector<patch::Flip>& applied : {std::vector<patch::Flip>(), flips}) {
    const model::RowOverlay overlay = make_overlay(demo_model(), applied);
    const FlippedModel flipped(demo_model(), applied);
    model::Transformer plain = make_transformer(flipped.model());
    const std::vector<Rival> rivals = find_rivals(transformer, {&overlay, {}}, probes);
    const std::vector<Answer> answers = generate_answers(plain, {}, probes, {});
    for (std::size_t i = 0; i < probes.size(); ++i) {
      num_right += answers[i].correct ? 1U : 0U;
      if (answers[i].correct) {
        EXPECT_EQ(rivals[i].front(), likeliest_other(plain, probes[i])) << probes[i].name;
      } else {
        EXPECT_EQ(tokenizer().decode(rivals[i]), answers[i].generated) << probes[i].name;
      }
    }
  }
  EXPECT_GT(num_right, 0U);
  EXPECT_LT(num_right, 2 * probes.size());
}

TEST(FindRivals, each_probe_alone_has_the_same_rival) {
  model::Transformer transformer = make_transformer(demo_model());
  const std::vector<Probe> probes = demo_probes("calculus.search", 0, 6);
  const std::vector<Rival> together = find_rivals(transformer, {}, probes);
  for (std::size_t i = 0; i < probes.size(); ++i)
    EXPECT_EQ(find_rivals(transformer, {}, {&probes[i], 1})[0], together[i]);
  EXPECT_TRUE(find_rivals(transformer, {}, {}).empty());
  for (const int ranks : {1, 3})
    mpi::run_ranks(ranks, [&](mpi::Communicator& communicator) {
      model::Transformer own = make_transformer(demo_model());
      EXPECT_EQ(find_rivals(communicator, own, {}, probes), together);
    });
}

}  // namespace
}  // namespace bankai::bfs
