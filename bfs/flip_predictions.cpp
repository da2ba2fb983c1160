#include "bfs/flip_predictions.h"

#include <algorithm>
#include <cmath>

#include "kernels/bit_panels.h"
#include "kernels/scalar_math.h"
#include "model/parallel.h"

namespace bankai::bfs {
namespace {

constexpr std::size_t kWordsPerGroup = kGroupCols / 64;
constexpr std::size_t kRowsTogether = 32;

// Rows in runs, so that threads share them.
template <typename Body>
void for_row_runs(int threads, std::size_t rows, const Body& body) {
  const std::size_t runs = (rows + kRowsTogether - 1) / kRowsTogether;
  model::parallel_for(threads, runs, [&](IndexRange range) {
    for (std::size_t run = range.begin; run < range.end; ++run)
      body(IndexRange{run * kRowsTogether, std::min(rows, (run + 1) * kRowsTogether)});
  });
}

float compressed(float s) {
  const float size = std::fabs(s);
  if (!(size > 1.0F)) return s;
  const auto shown = static_cast<float>(1.0 + kernels::log_f64(static_cast<double>(size)));
  return s > 0.0F ? shown : -shown;
}

bool flips(std::int32_t before, std::int32_t after, std::int32_t threshold) {
  return (before >= threshold) != (after >= threshold);
}

class MatrixPrediction {
 public:
  MatrixPrediction(const kernels::KernelTable& table, int threads, const MatrixEffects& matrix,
                   const ItemChanges& changes)
      : table_(table),
        threads_(threads),
        matrix_(matrix),
        changes_(changes),
        weights_(matrix.linear->weights),
        thresholds_(matrix.linear->thresholds),
        tokens_(matrix.sums->size() / weights_.rows) {}

  // The sums become −sums.
  void add_rows(CandidateId first) const {
    std::vector<float> changes(weights_.rows);
    for (std::size_t t = 0; t < tokens_; ++t)
      for (std::size_t r = 0; r < weights_.rows; ++r) {
        const std::int32_t sum = sum_at(t, r);
        if (flips(sum, -sum, thresholds_[r])) changes[r] += matrix_.rows->at(t * weights_.rows + r);
      }
    changes_.take(first, changes);
  }

  // The group's part of a sum changes its sign.
  void add_groups(CandidateId first) const {
    const std::size_t groups = weights_.cols / kGroupCols;
    std::vector<float> changes(weights_.rows * groups);
    std::vector<std::int32_t> parts(tokens_ * weights_.rows);
    for (std::size_t group = 0; group < groups; ++group) {
      multiply_group(group, parts);
      for (std::size_t t = 0; t < tokens_; ++t)
        for (std::size_t r = 0; r < weights_.rows; ++r) {
          const std::int32_t sum = sum_at(t, r);
          if (flips(sum, sum - 2 * parts[t * weights_.rows + r], thresholds_[r]))
            changes[r * groups + group] += matrix_.outputs->at(t * weights_.rows + r);
        }
    }
    changes_.take(first, changes);
  }

  // A product ±1 becomes ∓1, which counts next to the threshold alone (bfs/flip_effects.h).
  void add_bits(CandidateId first) const {
    const std::size_t cols = weights_.cols;
    std::vector<float> x(tokens_ * cols);
    for (std::size_t t = 0; t < tokens_; ++t)
      for (std::size_t c = 0; c < cols; ++c)
        x[t * cols + c] = sign_at(matrix_.inputs->data() + t * weights_.row_words(), c);
    for_row_runs(threads_, weights_.rows, [&](IndexRange rows) {
      std::vector<float> sums(cols);
      for (std::size_t r = rows.begin; r < rows.end; ++r) {
        float total = 0.0F;
        bool is_any = false;
        std::fill(sums.begin(), sums.end(), 0.0F);
        for (std::size_t t = 0; t < tokens_; ++t) {
          if (!is_next_to_threshold(sum_at(t, r), thresholds_[r])) continue;
          const float half = 0.5F * matrix_.outputs->at(t * weights_.rows + r);
          if (half == 0.0F) continue;
          is_any = true;
          total += half;
          const float factor = sum_at(t, r) >= thresholds_[r] ? half : -half;
          const float* inputs = x.data() + t * cols;
          for (std::size_t c = 0; c < cols; ++c) sums[c] += factor * inputs[c];
        }
        if (!is_any) continue;
        for (std::size_t c = 0; c < cols; ++c)
          sums[c] = total + sign_at(weights_.row(r), c) * sums[c];
        changes_.take(first + r * cols, sums);
      }
    });
  }

 private:
  std::int32_t sum_at(std::size_t token, std::size_t row) const {
    return (*matrix_.sums)[token * weights_.rows + row];
  }

  // parts (tokens, rows): the products of some columns.
  void multiply_group(std::size_t group, std::vector<std::int32_t>& parts) const {
    const std::size_t words = weights_.row_words();
    const auto columns = [&](const std::uint64_t* from, std::size_t count) {
      std::vector<std::uint64_t> some;
      for (std::size_t i = 0; i < count; ++i)
        some.insert(some.end(), from + i * words + group * kWordsPerGroup,
                    from + i * words + (group + 1) * kWordsPerGroup);
      return some;
    };
    std::vector<std::uint64_t> panels(kernels::bit_panels_words(weights_.rows, kGroupCols));
    kernels::pack_bit_panels(columns(weights_.bits.data(), weights_.rows).data(), weights_.rows,
                             kGroupCols, panels.data());
    const std::vector<std::uint64_t> in = columns(matrix_.inputs->data(), tokens_);
    model::parallel_for(threads_, tokens_, [&](IndexRange range) {
      table_.xnor_gemm(panels.data(), weights_.rows, in.data() + range.begin * kWordsPerGroup,
                       range.size(), kGroupCols, parts.data() + range.begin * weights_.rows,
                       weights_.rows);
    });
  }

  const kernels::KernelTable& table_;
  int threads_;
  const MatrixEffects& matrix_;
  const ItemChanges& changes_;
  const model::BinaryMatrix& weights_;
  std::span<const std::int32_t> thresholds_;
  std::size_t tokens_;
};

}  // namespace

void ItemChanges::take(CandidateId first, std::span<const float> changes) const {
  std::vector<float> shown(changes.begin(), changes.end());
  for (float& change : shown) change = compressed(change);
  std::vector<float> gains(shown.size()), losses(shown.size());
  add_effect(effect_, shown, gains, losses);
  std::vector<PredictedChange> predicted(shown.size());
  for (std::size_t i = 0; i < shown.size(); ++i)
    predicted[i] =
        PredictedChange::of(static_cast<double>(gains[i]), static_cast<double>(losses[i]));
  sink_.take(first, predicted);
}

void predict_matrix(const kernels::KernelTable& table, int threads, const CandidateSpace& space,
                    std::size_t tensor, const MatrixEffects& matrix, const ItemChanges& changes) {
  const MatrixPrediction prediction(table, threads, matrix, changes);
  const auto first = [&](patch::FlipKind kind) { return space.first(tensor, kind); };
  const auto has = [&](patch::FlipKind kind) { return space.count(tensor, kind) > 0; };
  if (has(patch::FlipKind::kRow)) prediction.add_rows(first(patch::FlipKind::kRow));
  if (has(patch::FlipKind::kGroup)) prediction.add_groups(first(patch::FlipKind::kGroup));
  if (has(patch::FlipKind::kBit)) prediction.add_bits(first(patch::FlipKind::kBit));
}

}  // namespace bankai::bfs
