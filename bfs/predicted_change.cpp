#include "bfs/predicted_change.h"

#include <algorithm>
#include <cmath>

#include "kernels/scalar_math.h"

namespace bankai::bfs {
namespace {

constexpr double kLeastMiss = 1e-6;     // 1 − P below this is as good as none
constexpr double kLeastChance = 1e-30;  // P below this cannot be moved by a change of first order

// Without branches, so that compilers make vectors of it. One of the two parts is 0.
float curved(float s, float curvature, float most) {
  const float half = 0.5F * curvature;
  const float gain = std::min(std::max(s, 0.0F), most);
  const float loss = std::min(s, 0.0F);
  return (gain - half * gain * gain) +
         std::max(loss - half * loss * loss, loss * (1.0F + curvature));
}

// The probability that one logit of two moves by first order by s.
float bent_probability(float s, double p) {
  const double moved = kernels::exp_f64(static_cast<double>(s) / (p * (1.0 - p)));
  return static_cast<float>(1.0 / (1.0 + (1.0 - p) / (p * moved)) - p);
}

}  // namespace

std::vector<ItemEffect> item_effects(const Objective& objective, std::span<const std::size_t> used,
                                     std::span<const double> base, std::span<const double> scores,
                                     bool curved) {
  double weight[2] = {0.0, 0.0};  // of the targets, of the controls
  for (const std::size_t i : used)
    weight[objective.items[i].is_control ? 1 : 0] += objective.items[i].weight;
  std::vector<ItemEffect> effects(objective.items.size());
  for (const std::size_t i : used) {
    const Item& item = objective.items[i];
    ItemEffect& effect = effects[i];
    effect.weight = static_cast<float>(item.weight / weight[item.is_control ? 1 : 0]);
    effect.is_control = item.is_control;
    effect.slack = static_cast<float>(scores[i] - base[i]);
    const std::span<const Term> terms =
        std::span(objective.terms).subspan(item.first_term, item.last_term - item.first_term);
    const bool is_log_probability = std::all_of(terms.begin(), terms.end(), [](const Term& term) {
      return term.token != kWholeDistribution && term.coefficient > 0.0;
    });
    if (!curved) continue;
    if (item.is_probability) {
      if (scores[i] > kLeastChance)
        effect.probability = static_cast<float>(std::min(scores[i], 1.0 - kLeastMiss));
    } else if (is_log_probability) {
      const double p = kernels::exp_f64(std::min(scores[i], 0.0));
      effect.curvature = static_cast<float>(p / std::max(1.0 - p, kLeastMiss));
    }
  }
  return effects;
}

std::vector<float> term_slopes(const Objective& objective, std::span<const double> scores) {
  std::vector<float> slopes(objective.terms.size());
  for (std::size_t i = 0; i < objective.items.size(); ++i) {
    const Item& item = objective.items[i];
    const double slope = item.is_probability ? scores[i] : 1.0;
    for (std::size_t term = item.first_term; term < item.last_term; ++term)
      if (objective.terms[term].token != kWholeDistribution)
        slopes[term] = static_cast<float>(objective.terms[term].coefficient * slope);
  }
  return slopes;
}

void add_effect(const ItemEffect& effect, std::span<const float> s, std::span<float> target_gain,
                std::span<float> control_loss) {
  constexpr std::size_t kTogether = 64;
  const float loss_now = effect.slack < 0.0F ? -effect.slack : 0.0F;
  for (std::size_t first = 0; first < s.size(); first += kTogether) {
    const std::size_t n = std::min(kTogether, s.size() - first);
    float change[kTogether];
    std::copy_n(s.begin() + static_cast<std::ptrdiff_t>(first), n, change);
    if (effect.probability > 0.0F) {
      for (std::size_t i = 0; i < n; ++i)
        change[i] = bent_probability(change[i], static_cast<double>(effect.probability));
    }
    if (effect.curvature > 0.0F) {
      const float most = 1.0F / effect.curvature;
      for (std::size_t i = 0; i < n; ++i) change[i] = curved(change[i], effect.curvature, most);
    }
    if (!effect.is_control) {
      for (std::size_t i = 0; i < n; ++i) target_gain[first + i] += effect.weight * change[i];
      continue;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const float loss = -(effect.slack + change[i]);
      control_loss[first + i] += effect.weight * ((loss <= 0.0F ? 0.0F : loss) - loss_now);
    }
  }
}

}  // namespace bankai::bfs
