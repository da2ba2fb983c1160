#include "packer/budget.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "core/check.h"

namespace bankai::packer {
namespace {

// Loss per byte of going from `a` to the smaller `b`.
double slope_between(const BudgetOption& a, const BudgetOption& b) {
  return (b.loss - a.loss) / static_cast<double>(a.bytes - b.bytes);
}

void change(Selection& selection, const std::vector<BudgetItem>& items, std::size_t item,
            std::size_t option) {
  const BudgetOption& from = items[item][selection.options[item]];
  const BudgetOption& to = items[item][option];
  selection.bytes = selection.bytes - from.bytes + to.bytes;
  selection.loss += to.loss - from.loss;
  selection.options[item] = option;
}

}  // namespace

BudgetCurve::BudgetCurve(std::vector<BudgetItem> items) : items_(std::move(items)) {
  start_.resize(items_.size());
  for (std::size_t item = 0; item < items_.size(); ++item) add_hull(item);
  // Within an item slopes do not fall, so that its steps keep their order.
  std::stable_sort(steps_.begin(), steps_.end(),
                   [](const Step& a, const Step& b) { return a.slope < b.slope; });
}

void BudgetCurve::add_hull(std::size_t item) {
  const BudgetItem& options = items_[item];
  BANKAI_CHECK(!options.empty(), "an item has no options");
  std::vector<std::size_t> order(options.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(options[a].loss, options[a].bytes, a) <
           std::tuple(options[b].loss, options[b].bytes, b);
  });
  std::vector<std::size_t> hull;
  for (const std::size_t option : order) {
    if (!hull.empty() && options[option].bytes >= options[hull.back()].bytes) continue;
    while (hull.size() > 1 && slope_between(options[hull[hull.size() - 2]], options[hull.back()]) >=
                                  slope_between(options[hull.back()], options[option]))
      hull.pop_back();
    hull.push_back(option);
  }
  start_[item] = hull.front();
  for (std::size_t i = 1; i < hull.size(); ++i)
    steps_.push_back({item, hull[i], slope_between(options[hull[i - 1]], options[hull[i]])});
}

Selection BudgetCurve::selection(std::vector<std::size_t> options) const {
  Selection result{std::move(options), 0, 0.0};
  for (std::size_t item = 0; item < items_.size(); ++item) {
    result.bytes += items_[item][result.options[item]].bytes;
    result.loss += items_[item][result.options[item]].loss;
  }
  return result;
}

Selection BudgetCurve::point(std::size_t index) const {
  std::vector<std::size_t> options = start_;
  for (std::size_t i = 0; i < index; ++i) options[steps_[i].item] = steps_[i].option;
  return selection(std::move(options));
}

std::uint64_t BudgetCurve::smallest_bytes() const { return point(steps_.size()).bytes; }

void BudgetCurve::use_slack(Selection& selection, std::uint64_t bytes) const {
  while (true) {
    double best_gain = 0.0;
    std::size_t best_item = 0, best_option = 0;
    for (std::size_t item = 0; item < items_.size(); ++item) {
      const BudgetOption& now = items_[item][selection.options[item]];
      for (std::size_t option = 0; option < items_[item].size(); ++option) {
        const BudgetOption& other = items_[item][option];
        if (selection.bytes - now.bytes + other.bytes > bytes) continue;
        if (now.loss - other.loss <= best_gain) continue;
        best_gain = now.loss - other.loss;
        best_item = item;
        best_option = option;
      }
    }
    if (best_gain <= 0.0) return;
    change(selection, items_, best_item, best_option);
  }
}

// One item made smaller so that all fits, at the least loss.
std::optional<Selection> BudgetCurve::shrink_once(Selection selection, std::uint64_t bytes) const {
  std::optional<std::pair<std::size_t, std::size_t>> best;
  double best_loss = 0.0;
  for (std::size_t item = 0; item < items_.size(); ++item) {
    const BudgetOption& now = items_[item][selection.options[item]];
    for (std::size_t option = 0; option < items_[item].size(); ++option) {
      const BudgetOption& other = items_[item][option];
      if (selection.bytes - now.bytes + other.bytes > bytes) continue;
      if (best && other.loss - now.loss >= best_loss) continue;
      best = {item, option};
      best_loss = other.loss - now.loss;
    }
  }
  if (!best) return std::nullopt;
  change(selection, items_, best->first, best->second);
  return selection;
}

std::optional<Selection> BudgetCurve::best_within(std::uint64_t bytes) const {
  Selection before = point(0);
  Selection fitting = before;
  for (const Step& step : steps_) {
    if (fitting.bytes <= bytes) break;
    before = fitting;
    change(fitting, items_, step.item, step.option);
  }
  if (fitting.bytes > bytes) return std::nullopt;
  use_slack(fitting, bytes);
  if (before.bytes > bytes) {
    std::optional<Selection> other = shrink_once(std::move(before), bytes);
    if (other) {
      use_slack(*other, bytes);
      if (other->loss < fitting.loss) fitting = std::move(*other);
    }
  }
  return selection(std::move(fitting.options));  // summed anew: the same whatever the way here
}

}  // namespace bankai::packer
