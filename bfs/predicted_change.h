// What a first-order change of an item's score means for the fitness, as sums that can be merged.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bfs/objective.h"

namespace bankai::bfs {

// The predicted effect of a candidate in units of 2^-40: sums over blocks of data and over ranks
// are exact, so that no order of adding shows in a result.
struct PredictedChange {
  std::int64_t target_gain = 0;   // change of the targets' weighted mean score
  std::int64_t control_loss = 0;  // change of the controls' weighted mean loss

  static constexpr double kUnit = 0x1p-40;
  // Of one block of data, in nats: 64 bits have room for 80,000 of them.
  static constexpr double kLargest = 100.0;

  // Beyond kLargest is kLargest; what is no number counts as the largest loss.
  static PredictedChange of(double target_gain, double control_loss) {
    const double gain = target_gain > -kLargest ? target_gain : -kLargest;
    const double loss = control_loss < kLargest ? control_loss : kLargest;
    return {to_fixed(gain < kLargest ? gain : kLargest),
            to_fixed(loss > -kLargest ? loss : -kLargest)};
  }
  // REQUIRES: |value| <= kLargest. Rounds to the nearest unit: at 1.5 · 2^52 the last bit of a
  // double is worth one.
  static std::int64_t to_fixed(double value) {
    constexpr double kShift = 0x1.8p52;
    return std::bit_cast<std::int64_t>(value / kUnit + kShift) -
           std::bit_cast<std::int64_t>(kShift);
  }
  static double to_double(std::int64_t value) { return static_cast<double>(value) * kUnit; }
  double fitness(double control_penalty) const {
    return to_double(target_gain) - control_penalty * to_double(control_loss);
  }
};

// How one item enters the fitness, seen from the state that the candidates change.
struct ItemEffect {
  float weight = 0.0F;  // the item's share of the mean of the targets, or of the controls
  bool is_control = false;
  float slack = 0.0F;      // controls: current score − score of the unpatched model
  float curvature = 0.0F;  // P / (1 − P) of a log-probability ln P; 0: changes count as they are
  float probability =
      0.0F;  // P of a score that is one and is to bend; 0: changes count as they are
};

// `curved`: an item whose score is a log-probability ln P moves as that of two classes does when
// one logit moves: a change s by first order becomes s − s² · P / (1 − P) / 2, up to the largest
// value of that, and down to the bound s / (1 − P). A score that is a probability P itself becomes
// P e^d / (1 − P + P e^d) for d = s / (P (1 − P)). `used`: the items that count, ascending.
std::vector<ItemEffect> item_effects(const Objective& objective, std::span<const std::size_t> used,
                                     std::span<const double> base, std::span<const double> scores,
                                     bool curved);

// What each term's log-probability means for its item's score by first order, at these item scores
// (terms); 0 for divergences.
std::vector<float> term_slopes(const Objective& objective, std::span<const double> scores);

// Adds the effect of first-order changes s (candidates) of one item's score to the candidates'
// sums. Changes that are no numbers count as a loss of the largest size.
void add_effect(const ItemEffect& effect, std::span<const float> s, std::span<float> target_gain,
                std::span<float> control_loss);

}  // namespace bankai::bfs
