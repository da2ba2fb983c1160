// The baseline against a second writing of the original search's steps, with whole forward passes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "bfs/fitness.h"
#include "bfs/numpy_random.h"
#include "kernels/half.h"
#include "mpi/self_communicator.h"
#include "tests/bfs/search_rig.h"

namespace bankai::bfs {
namespace {

// Rows drawn with numpy's choice(n, p=weights): normalised running sums, searched from the right.
class RowDraw {
 public:
  RowDraw(const std::vector<TensorAddress>& tensors, std::uint64_t seed) : random_(seed) {
    for (const TensorAddress tensor : tensors) {
      const kernels::WeightRows& weights = demo_model().find_matrix(tensor)->weights;
      for (std::size_t row = 0; row < weights.rows; ++row) {
        double sum = 0.0;
        for (std::size_t block = 0; block < weights.cols / 128; ++block) {
          std::uint16_t half = 0;
          std::memcpy(&half, weights.data + row * weights.row_bytes + block * 18, sizeof half);
          sum += std::abs(static_cast<double>(kernels::f16_to_float(half)));
        }
        total_ += sum / static_cast<double>(weights.cols / 128);
        sums_.push_back(total_);
      }
    }
  }
  std::size_t draw() {
    const double value = random_.next_uniform();
    std::size_t row = 0;
    while (row + 1 < sums_.size() && sums_[row] / total_ <= value) ++row;
    return row;
  }

 private:
  NumpyRandom random_;
  std::vector<double> sums_;
  double total_ = 0.0;
};

struct Expected {
  std::vector<CandidateId> accepted;
  std::uint64_t screened_out = 0;
  double fitness = 0.0;
};

Expected climb_plainly(const SearchCase& search) {
  model::Transformer transformer = make_transformer(demo_model());
  mpi::SelfCommunicator comm;
  const auto context =
      std::move(SearchContext::create(transformer, comm, search.options, search.data, {})).value();
  const Objective& objective = context->objective();
  const std::span<const double> base = context->base_scores();
  std::size_t lowest = objective.items.size();
  std::size_t second = objective.items.size();
  for (std::size_t i = 0; i < objective.items.size(); ++i) {
    if (objective.items[i].is_control) continue;
    if (lowest == objective.items.size() || base[i] < base[lowest]) {
      second = lowest;
      lowest = i;
    } else if (second == objective.items.size() || base[i] < base[second]) {
      second = i;
    }
  }
  RowDraw rows(search.options.tensors, search.options.seed);
  Expected expected;
  std::set<CandidateId> tried;
  for (std::uint64_t i = 0; i < search.options.iterations; ++i) {
    CandidateId candidate = rows.draw();
    while (!tried.insert(candidate).second) candidate = rows.draw();
    std::vector<CandidateId> ids = expected.accepted;
    ids.push_back(candidate);
    const std::vector<double> scores = context->score_patch(context->flips(ids));
    if (!(scores[lowest] > base[lowest] || scores[second] > base[second])) {
      ++expected.screened_out;
      continue;
    }
    const double fitness =
        compute_fitness(objective, base, scores, search.options.control_penalty).fitness;
    if (fitness <= expected.fitness) continue;
    expected.fitness = fitness;
    expected.accepted = ids;
  }
  return expected;
}

TEST(HillClimb, repeats_the_original_search) {
  SearchCase search = search_case("hill_climb");
  search.options.iterations = 60;
  for (const std::uint64_t seed : {42U, 7U}) {
    search.options.seed = seed;
    const Expected expected = climb_plainly(search);
    const SearchState state = run_case(search).state;
    EXPECT_EQ(state.accepted, expected.accepted);
    EXPECT_EQ(state.screened_out, expected.screened_out);
    EXPECT_EQ(state.fitness.fitness, expected.fitness);
    EXPECT_EQ(state.round, search.options.iterations);
    EXPECT_FALSE(state.accepted.empty());
  }
}

TEST(HillClimb, ends_when_everything_was_tried) {
  SearchCase search = search_case("hill_climb");
  search.options.tensors = layer_tensors({5}, {Projection::kValue});  // 128 rows
  search.options.iterations = 1000000;
  const SearchOutcome outcome = run_case(search);
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_TRUE(outcome.state.finished);
  EXPECT_LE(outcome.state.round, 129U);
  EXPECT_GT(outcome.state.round, 100U);
}

TEST(HillClimb, with_pareto_no_target_set_pays_for_another) {
  SearchCase search = search_case("hill_climb");
  search.options.iterations = 60;
  search.data.targets = {demo_data("sums.search", 0, 2), demo_data("sums.search", 2, 2)};
  std::vector<std::vector<CandidateId>> accepted;
  for (const bool pareto : {false, true}) {
    search.options.pareto = pareto;
    const SearchOutcome outcome = run_case(search);
    accepted.push_back(outcome.state.accepted);
    ASSERT_FALSE(outcome.state.front.empty());
    // Nothing falls, so every round's point is on the way up: the last is the best in every set.
    for (const ParetoPoint& point : outcome.state.front)
      EXPECT_TRUE(!pareto || pareto_allows(point.gains, outcome.state.front.back().gains));
  }
  EXPECT_NE(accepted[0], accepted[1]);
}

TEST(HillClimb, draws_groups_and_bits_inside_the_matrices) {
  for (const Granularity granularity : {Granularity::kGroup, Granularity::kBit}) {
    SearchCase search = search_case("hill_climb");
    search.options.granularity = granularity;
    const SearchOutcome outcome = run_case(search);
    ASSERT_TRUE(outcome.status.ok());
    for (const patch::Flip& flip : accepted_flips(search, outcome.state)) EXPECT_LT(flip.row, 768U);
  }
}

}  // namespace
}  // namespace bankai::bfs
