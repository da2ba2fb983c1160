#include "bfs/edge_predictions.h"

#include <bit>
#include <functional>
#include <vector>

namespace bankai::bfs {
namespace {

constexpr std::size_t kWordsPerGroup = kGroupCols / 64;

// The change of the terms that look at a token when the logit of `row` changes.
double logit_effect(const LogitView& view, std::size_t row, double change) {
  const double growth = log_growth(view, row, change);
  double effect =
      -view.total * growth + view.divergence * (growth - view.probabilities[row] * change);
  for (const auto& [target, coefficient] : view.targets)
    if (static_cast<std::size_t>(target) == row) effect += coefficient * change;
  return effect;
}

// Changes by all flips of a table of (rows, cols), by kind of flip.
class TableChanges {
 public:
  TableChanges(const CandidateSpace& space, std::size_t tensor, std::size_t rows, std::size_t cols)
      : space_(space),
        tensor_(tensor),
        groups_(cols / kGroupCols),
        cols_(cols),
        by_row(rows),
        by_group(rows * groups_),
        by_bit(rows * cols) {}

  void add_row(std::size_t row, float change) { by_row[row] += change; }
  void add_group(std::size_t row, std::size_t group, float change) {
    by_group[row * groups_ + group] += change;
  }
  void add_bit(std::size_t row, std::size_t col, float change) {
    by_bit[row * cols_ + col] += change;
  }
  std::size_t groups() const { return groups_; }

  void hand_on(const ItemChanges& changes) const {
    const auto take = [&](patch::FlipKind kind, const std::vector<float>& some) {
      if (space_.count(tensor_, kind) > 0) changes.take(space_.first(tensor_, kind), some);
    };
    take(patch::FlipKind::kRow, by_row);
    take(patch::FlipKind::kGroup, by_group);
    take(patch::FlipKind::kBit, by_bit);
  }

 private:
  const CandidateSpace& space_;
  std::size_t tensor_, groups_, cols_;
  std::vector<float> by_row, by_group, by_bit;
};

}  // namespace

void predict_embedding(const model::BinaryShape& shape, std::span<const model::TokenId> tokens,
                       const BitEffects& state, const CandidateSpace& space, std::size_t tensor,
                       const ItemChanges& changes) {
  TableChanges sums(space, tensor, shape.vocabulary, shape.width);
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const auto row = static_cast<std::size_t>(tokens[t]);
    for (std::size_t c = 0; c < shape.width; ++c) {
      const float effect = state.at(t * shape.width + c);
      sums.add_row(row, effect);
      sums.add_group(row, c / kGroupCols, effect);
      sums.add_bit(row, c, effect);
    }
  }
  sums.hand_on(changes);
}

void predict_codebook(const model::BinaryTransformer& transformer, const BinaryTrace& trace,
                      std::span<const TokenView> views, double logit_scale,
                      const CandidateSpace& space, std::size_t tensor, const ItemChanges& changes) {
  const model::BinaryMatrix& codebook = transformer.model().codebook;
  const std::size_t words = codebook.row_words();
  TableChanges sums(space, tensor, codebook.rows, codebook.cols);
  for (const TokenView& token : views) {
    const std::uint64_t* state = trace.top.data() + token.token * words;
    for (std::size_t row = 0; row < codebook.rows; ++row) {
      const std::uint64_t* weights = codebook.row(row);
      const auto effect = [&](double sum) {  // of products that change their signs
        return static_cast<float>(logit_effect(token.view, row, -2.0 * logit_scale * sum));
      };
      double whole = 0.0;
      for (std::size_t group = 0; group < sums.groups(); ++group) {
        int differing = 0;
        for (std::size_t i = group * kWordsPerGroup; i < (group + 1) * kWordsPerGroup; ++i)
          differing += std::popcount(weights[i] ^ state[i]);
        const double part = static_cast<double>(kGroupCols) - 2.0 * differing;
        sums.add_group(row, group, effect(part));
        whole += part;
      }
      sums.add_row(row, effect(whole));
      const float equal = effect(1.0), unequal = effect(-1.0);
      for (std::size_t c = 0; c < codebook.cols; ++c)
        sums.add_bit(row, c, sign_at(weights, c) == sign_at(state, c) ? equal : unequal);
    }
  }
  sums.hand_on(changes);
}

}  // namespace bankai::bfs
