#include "bfs/logit_view.h"

#include <algorithm>
#include <limits>

#include "bfs/objective.h"
#include "kernels/scalar_math.h"

namespace bankai::bfs {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();  // ln 0

void set_probabilities(std::span<const std::int64_t> logits, double unit, LogitView& view) {
  const auto top = std::max_element(logits.begin(), logits.end());
  view.largest = static_cast<std::size_t>(top - logits.begin());
  double total = 0.0, second = kNothing;
  for (std::size_t v = 0; v < logits.size(); ++v) {
    const double below = static_cast<double>(logits[v] - *top) * unit;
    view.log_probabilities.push_back(below);
    view.probabilities.push_back(kernels::exp_f64(below));
    total += view.probabilities.back();
    if (v != view.largest) second = std::max(second, below);
  }
  double rest = 0.0;  // over the probability of the second
  for (std::size_t v = 0; v < logits.size(); ++v)
    if (v != view.largest) rest += kernels::exp_f64(view.log_probabilities[v] - second);
  const double log_total = kernels::log_f64(total);
  view.log_rest = second > kNothing ? second + kernels::log_f64(rest) - log_total : kNothing;
  for (double& p : view.probabilities) p /= total;
  for (double& p : view.log_probabilities) p -= log_total;
}

}  // namespace

std::vector<TokenView> view_logits(const model::BinaryTransformer& transformer,
                                   const BinaryTrace& trace, std::span<const TracedTerm> terms,
                                   double unit) {
  const std::size_t words = transformer.state_words();
  std::vector<std::int64_t> logits(transformer.model().shape.vocabulary);
  std::vector<TokenView> views;
  for (const TracedTerm& term : terms) {
    if (views.empty() || views.back().token != term.token) {
      views.push_back({term.token, {}});
      transformer.logits(std::span(trace.top).subspan(term.token * words, words), logits);
      set_probabilities(logits, unit, views.back().view);
    }
    LogitView& view = views.back().view;
    if (term.target == kWholeDistribution) {
      view.divergence += term.coefficient;
    } else {
      view.targets.push_back({term.target, term.coefficient});
      view.total += term.coefficient;
    }
  }
  return views;
}

double log_add(double a, double b) {
  const double larger = std::max(a, b), smaller = std::min(a, b);
  if (larger == kNothing) return kNothing;
  return larger + kernels::log_f64(1.0 + kernels::exp_f64(smaller - larger));
}

double log_growth(const LogitView& view, std::size_t token, double change) {
  // All but the largest are at most 1/2.
  const double log_rest =
      token == view.largest ? view.log_rest : kernels::log_f64(1.0 - view.probabilities[token]);
  return log_add(log_rest, view.log_probabilities[token] + change);
}

}  // namespace bankai::bfs
