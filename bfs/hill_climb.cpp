// The original Bankai search, kept as the baseline: draw an untried candidate with probability
// proportional to its row's mean absolute scale, flip it, keep it if the fitness rises.
// Sequential by nature: every rank does the same work and reaches the same state.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <set>

#include "bfs/candidate_sets.h"
#include "bfs/item_sample.h"
#include "bfs/numpy_random.h"
#include "bfs/overlay.h"
#include "bfs/strategy.h"
#include "kernels/half.h"

namespace bankai::bfs {
namespace {

constexpr int kMaxDraws = 101;  // a first draw and 100 further ones when it was tried before
constexpr std::size_t kScreenTargets = 2;

// Of a 1-bit row, whose weights all have the magnitude of their scale.
double mean_magnitude(const BitMatrixView& matrix, std::size_t row) {
  double sum = 0.0;
  for (std::size_t group = 0; group < matrix.groups_per_row(); ++group) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, matrix.group_scale(row, group), sizeof bits);
    sum += std::abs(static_cast<double>(kernels::f16_to_float(bits)));
  }
  return sum / static_cast<double>(matrix.groups_per_row());
}

double mean_magnitude(const kernels::WeightRows& weights, std::size_t row) {
  std::vector<float> values(weights.cols);
  kernels::widen_row(weights, row, values.data());
  double sum = 0.0;
  for (const float value : values) sum += std::abs(static_cast<double>(value));
  return sum / static_cast<double>(values.size());
}

// Normalised running sums of the rows' weights, over all searched tensors.
std::vector<double> cumulative_row_weights(const SearchContext& context) {
  std::vector<double> sums;
  for (const TensorAddress tensor : context.space().tensors()) {
    const patch::WeightView view = *context.search_model().weights()(tensor);
    const auto* bits = std::get_if<BitMatrixView>(&view);
    const std::size_t rows = std::visit([](const auto& matrix) { return matrix.rows(); }, view);
    for (std::size_t row = 0; row < rows; ++row)
      sums.push_back((sums.empty() ? 0.0 : sums.back()) +
                     (bits != nullptr
                          ? mean_magnitude(*bits, row)
                          : mean_magnitude(context.model().find_matrix(tensor)->weights, row)));
  }
  const double total = sums.back();
  for (double& sum : sums) sum /= total;
  return sums;
}

class HillClimb final : public Strategy {
 public:
  HillClimb(const SearchContext& context, const SearchState& state)
      : row_sums_(cumulative_row_weights(context)), random_(context.options().seed) {
    while (draws_ < state.draws) tried_.insert(draw(context.space()));
  }

  Status run_round(SearchContext& context, SearchState& state) override {
    const std::optional<CandidateId> candidate = draw_untried(context);
    state.draws = draws_;
    state.finished = !candidate.has_value();
    if (!candidate) return {};
    std::vector<CandidateId> ids =
        toggled(context.space(), state.accepted, std::span(&*candidate, 1));
    if (!context.within_budget(ids)) {
      state.finished =
          context.options().budget_flips > 0 && ids.size() > context.options().budget_flips;
      return {};
    }
    if (!passes_screen(context, *candidate, state)) {
      ++state.screened_out;
      return {};
    }
    const Fitness fitness =
        context.fitness_of(context.score_alone(*candidate, all_items(context.objective())));
    state.work += context.flip_cost(context.space().flip(*candidate).tensor);
    const SearchOptions& options = context.options();
    const double needed = state.fitness.fitness + options.min_gain + options.flip_penalty;
    if (!(fitness.fitness > needed) || !context.is_acceptable(ids, state)) return {};
    state.accepted = std::move(ids);
    state.fitness = fitness;
    return {};
  }

 private:
  // One candidate, by the inverse of the cumulative weights; a row's candidates are equally likely.
  CandidateId draw(const CandidateSpace& space) {
    ++draws_;
    const auto position =
        std::upper_bound(row_sums_.begin(), row_sums_.end(), random_.next_uniform());
    const auto row =
        static_cast<std::uint64_t>(std::min(position, row_sums_.end() - 1) - row_sums_.begin());
    if (space.granularity() == Granularity::kRow) return row;
    return space.candidate_in_row(row, random_.next_uniform());
  }

  // One that may not be taken counts as tried.
  std::optional<CandidateId> draw_untried(const SearchContext& context) {
    for (int i = 0; i < kMaxDraws; ++i) {
      const CandidateId candidate = draw(context.space());
      if (tried_.insert(candidate).second && context.is_legal(candidate)) return candidate;
    }
    return std::nullopt;
  }

  // The two targets with the lowest score in the unpatched model: one of them must be above that
  // score. (Compared with the unpatched model, not the current state: this is how the original
  // works.)
  static bool passes_screen(SearchContext& context, CandidateId candidate, SearchState& state) {
    const Objective& objective = context.objective();
    const std::span<const double> base = context.base_scores();
    std::vector<std::size_t> targets;
    for (std::size_t i = 0; i < objective.items.size(); ++i)
      if (!objective.items[i].is_control) targets.push_back(i);
    std::stable_sort(targets.begin(), targets.end(),
                     [&](std::size_t a, std::size_t b) { return base[a] < base[b]; });
    if (targets.size() > kScreenTargets)
      targets.erase(targets.begin() + kScreenTargets, targets.end());
    std::vector<std::size_t> items = targets;
    std::sort(items.begin(), items.end());
    const std::vector<double> scores = context.score_alone(candidate, items);
    state.work += context.flip_cost(context.space().flip(candidate).tensor) *
                  count_tokens(objective, sequences_of(objective, items)) / objective.num_tokens();
    return std::any_of(targets.begin(), targets.end(),
                       [&](std::size_t item) { return scores[item] > base[item]; });
  }

  std::vector<double> row_sums_;
  NumpyRandom random_;
  std::uint64_t draws_ = 0;
  std::set<CandidateId> tried_;
};

}  // namespace

std::unique_ptr<Strategy> make_hill_climb(const SearchContext& context, const SearchState& state) {
  return std::make_unique<HillClimb>(context, state);
}

}  // namespace bankai::bfs
