#include "bfs/rank_agreement.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/check.h"

namespace bankai::bfs {
namespace {

constexpr std::size_t kTop = 40;

std::vector<std::size_t> ascending_order(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  return order;
}

std::vector<double> ranks_of(std::span<const double> values) {
  const std::vector<std::size_t> order = ascending_order(values);
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i)
      ranks[order[i]] = 0.5 * static_cast<double>(begin + end - 1);
    begin = end;
  }
  return ranks;
}

double correlation(std::span<const double> a, std::span<const double> b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0.0, aa = 0.0, bb = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return aa > 0.0 && bb > 0.0 ? ab / std::sqrt(aa * bb) : 0.0;
}

}  // namespace

RankAgreement compare_rankings(std::span<const double> predicted, std::span<const double> exact) {
  BANKAI_CHECK(predicted.size() == exact.size(), "two rankings of different candidates");
  RankAgreement result;
  result.count = predicted.size();
  if (predicted.empty()) return result;
  result.spearman = correlation(ranks_of(predicted), ranks_of(exact));
  result.pearson = correlation(predicted, exact);
  const std::vector<std::size_t> order = ascending_order(predicted);
  result.top = std::min(kTop, order.size());
  for (std::size_t i = order.size() - result.top; i < order.size(); ++i)
    if (exact[order[i]] > 0.0) ++result.top_improving;
  return result;
}

}  // namespace bankai::bfs
