#include "bfs/atlas_tally.h"

#include <algorithm>
#include <limits>

#include "bfs/single_weights.h"

namespace bankai::bfs {
namespace {

constexpr float kNoFitness = std::numeric_limits<float>::lowest();  // of a row, so far

}  // namespace

AtlasTally::AtlasTally(TensorAddress tensor, patch::FlipKind kind, std::uint64_t rows,
                       std::uint64_t per_row, double control_penalty)
    : tensor_(tensor),
      per_row_(per_row),
      count_(rows * per_row),
      control_penalty_(control_penalty) {
  result_.kind = kind;
  if (kind == patch::FlipKind::kRow) {
    result_.row_target_gain.resize(rows);
    result_.row_control_loss.resize(rows);
  } else {
    result_.row_best.assign(rows, kNoFitness);
    result_.row_improving.resize(rows);
  }
}

void AtlasTally::add(std::uint64_t first, std::span<const PredictedChange> changes,
                     std::span<const std::uint8_t> legal) {
  while (!changes.empty()) {
    const std::uint64_t row = first / per_row_;
    const std::uint64_t in_row = first % per_row_;
    const std::size_t n = std::min<std::uint64_t>(per_row_ - in_row, changes.size());
    add_to_row(row, in_row, changes.first(n), legal.empty() ? legal : legal.first(n));
    first += n;
    changes = changes.subspan(n);
    if (!legal.empty()) legal = legal.subspan(n);
  }
}

void AtlasTally::add_to_row(std::uint64_t row, std::uint64_t first_in_row,
                            std::span<const PredictedChange> changes,
                            std::span<const std::uint8_t> legal) {
  num_added_ += changes.size();
  std::size_t best = 0;  // the first that counts, to begin with
  while (!legal.empty() && best < legal.size() && legal[best] == 0) ++best;
  if (best == changes.size()) return;
  Wide target_gain = 0, abs_target_gain = 0, control_loss = 0;
  PredictedChange least = changes[best], most = changes[best];
  double least_fitness = changes[best].fitness(control_penalty_);
  double most_fitness = least_fitness;
  std::uint64_t counted = 0, improving = 0;
  for (std::size_t i = best; i < changes.size(); ++i) {
    if (!legal.empty() && legal[i] == 0) continue;
    const PredictedChange& change = changes[i];
    const double fitness = change.fitness(control_penalty_);
    ++counted;
    target_gain += change.target_gain;
    abs_target_gain += change.target_gain < 0 ? -change.target_gain : change.target_gain;
    control_loss += change.control_loss;
    least.target_gain = std::min(least.target_gain, change.target_gain);
    most.target_gain = std::max(most.target_gain, change.target_gain);
    least.control_loss = std::min(least.control_loss, change.control_loss);
    most.control_loss = std::max(most.control_loss, change.control_loss);
    least_fitness = std::min(least_fitness, fitness);
    improving += fitness > 0.0 ? 1 : 0;
    if (fitness > most_fitness) {
      most_fitness = fitness;
      best = i;
    }
  }
  const std::uint64_t place = row * per_row_ + first_in_row + best;
  const bool is_first = num_counted_ == 0;
  if (is_first || most_fitness > most_fitness_ ||
      (most_fitness == most_fitness_ && place < best_place_)) {
    most_fitness_ = most_fitness;
    best_ = changes[best];
    best_place_ = place;
  }
  if (is_first) {
    least_ = least;
    most_ = most;
    least_fitness_ = least_fitness;
  }
  least_ = {std::min(least_.target_gain, least.target_gain),
            std::min(least_.control_loss, least.control_loss)};
  most_ = {std::max(most_.target_gain, most.target_gain),
           std::max(most_.control_loss, most.control_loss)};
  least_fitness_ = std::min(least_fitness_, least_fitness);
  num_counted_ += counted;
  target_gain_ += target_gain;
  abs_target_gain_ += abs_target_gain;
  control_loss_ += control_loss;
  improving_ += improving;
  if (result_.kind == patch::FlipKind::kRow) {
    result_.row_target_gain[row] =
        static_cast<float>(PredictedChange::to_double(changes.front().target_gain));
    result_.row_control_loss[row] =
        static_cast<float>(PredictedChange::to_double(changes.front().control_loss));
  } else {
    result_.row_best[row] = std::max(result_.row_best[row], static_cast<float>(most_fitness));
    result_.row_improving[row] += static_cast<std::uint32_t>(improving);
  }
}

AtlasKind AtlasTally::finish() && {
  BANKAI_CHECK(num_added_ == count_ && num_counted_ > 0, "a tally without all of its candidates");
  result_.candidates = num_counted_;
  const auto value = &PredictedChange::to_double;
  const auto mean = [&](Wide sum) {
    return static_cast<double>(sum) / static_cast<double>(num_counted_) * value(1);
  };
  result_.mean_target_gain = mean(target_gain_);
  result_.mean_control_loss = mean(control_loss_);
  AtlasDetail& detail = result_.detail.emplace();
  detail.improving = improving_;
  detail.mean_abs_target_gain = mean(abs_target_gain_);
  detail.target_gain = {value(least_.target_gain), value(most_.target_gain)};
  detail.control_loss = {value(least_.control_loss), value(most_.control_loss)};
  detail.fitness = {least_fitness_, most_fitness_};
  const bool is_row = result_.kind == patch::FlipKind::kRow;
  detail.best = {tensor_, static_cast<std::uint32_t>(best_place_ / per_row_), result_.kind,
                 is_row ? 0 : static_cast<std::uint32_t>(best_place_ % per_row_)};
  detail.best_target_gain = value(best_.target_gain);
  detail.best_control_loss = value(best_.control_loss);
  for (float& best : result_.row_best)
    if (best == kNoFitness) best = 0.0F;
  return std::move(result_);
}

AtlasSink::AtlasSink(const CandidateSpace& space, const patch::MatrixLookup& weights,
                     const model::Model* model, double control_penalty)
    : model_(model) {
  for (std::size_t tensor = 0; tensor < space.tensors().size(); ++tensor) {
    const TensorAddress address = space.tensors()[tensor];
    const patch::TensorShape shape = *patch::shape_of(address, *weights(address));
    tensors_.push_back({address, shape.rows, shape.cols, {}});
    for (const patch::FlipKind kind : kFlipKinds) {
      const std::uint64_t per_row = space.count_per_row(tensor, kind);
      if (per_row > 0)
        parts_.push_back({tensor, kind, space.first(tensor, kind),
                          AtlasTally(address, kind, shape.rows, per_row, control_penalty)});
    }
  }
}

void AtlasSink::take(CandidateId first, std::span<const PredictedChange> changes) {
  const auto next =
      std::upper_bound(parts_.begin(), parts_.end(), first,
                       [](CandidateId id, const Part& part) { return id < part.first; });
  Part& part = *std::prev(next);
  first -= part.first;
  if (patch::is_step(part.kind))
    part.tally.add(first, changes, legal_ones(part, first, changes.size()));
  else
    part.tally.add(first, changes);
}

std::vector<std::uint8_t> AtlasSink::legal_ones(const Part& part, std::uint64_t first,
                                                std::size_t count) const {
  const AtlasTensor& tensor = tensors_[part.tensor];
  std::vector<std::uint8_t> legal;
  std::uint64_t row = first / tensor.cols;
  const auto before = static_cast<std::ptrdiff_t>(first % tensor.cols);
  for (; legal.size() < count + first % tensor.cols; ++row) {
    const std::vector<std::uint8_t> of_row =
        legal_steps(*model_, {}, tensor.address, row, part.kind);
    legal.insert(legal.end(), of_row.begin(), of_row.end());
  }
  return {legal.begin() + before, legal.begin() + before + static_cast<std::ptrdiff_t>(count)};
}

std::vector<AtlasTensor> AtlasSink::tensors() && {
  for (Part& part : parts_)
    if (part.tally.num_counted() > 0)
      tensors_[part.tensor].kinds.push_back(std::move(part.tally).finish());
  return std::move(tensors_);
}

}  // namespace bankai::bfs
