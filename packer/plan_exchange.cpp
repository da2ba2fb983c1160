#include "packer/plan_exchange.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bankai::packer {
namespace {

constexpr double kLeastShare = 1.0 / 16.0;  // of a tensor's exact size: smaller steps hide in noise

double difference(std::uint64_t a, std::uint64_t b) {
  return static_cast<double>(a) - static_cast<double>(b);
}

// From most bytes to fewest.
std::vector<std::size_t> loss_hull(const TensorOptions& tensor) {
  const BudgetCurve curve(budget_items({tensor}));
  std::vector<std::size_t> hull;
  for (std::size_t i = 0; i < curve.num_points(); ++i) hull.push_back(curve.point(i).options[0]);
  return hull;
}

std::optional<std::size_t> next_option(const TensorOptions& tensor, std::size_t from, bool is_up) {
  const double least = difference(tensor.options.front().bytes, 0) * kLeastShare;
  const TensorOption& now = tensor.options[from];
  std::vector<std::size_t> hull = loss_hull(tensor);
  if (is_up) std::reverse(hull.begin(), hull.end());
  std::optional<std::size_t> next;
  for (const std::size_t option : hull) {
    const TensorOption& other = tensor.options[option];
    const double distance = difference(other.bytes, now.bytes) * (is_up ? 1.0 : -1.0);
    if (distance <= 0.0 || (is_up ? other.loss >= now.loss : other.loss <= now.loss)) continue;
    next = option;
    if (distance >= least) break;
  }
  return next;
}

// What a tensor may become, beginning with what it is.
struct Choices {
  std::vector<std::size_t> options;
  BudgetItem item;             // with the toll on changes
  std::vector<double> change;  // without

  void add(std::size_t option, std::uint64_t bytes, double loss, double toll) {
    const double distance = item.empty() ? 0.0 : std::abs(difference(bytes, item.front().bytes));
    options.push_back(option);
    item.push_back({bytes, loss + toll * distance});
    change.push_back(loss);
  }
};

double mean_worth(const std::vector<Exchange>& exchanges) {
  double change = 0.0, bytes = 0.0;
  for (const Exchange& exchange : exchanges) {
    change += std::abs(exchange.change);
    bytes += exchange.bytes;
  }
  return bytes > 0.0 ? change / bytes : 0.0;
}

}  // namespace

double Exchange::worth() const { return std::abs(single) / bytes; }

double ExchangedPlan::change() const {
  return std::accumulate(changes.begin(), changes.end(), 0.0);
}

std::optional<Exchange> step_exchange(const std::vector<TensorOptions>& options,
                                      const std::vector<std::size_t>& plan,
                                      const std::vector<std::size_t>& members, bool is_up) {
  Exchange exchange;
  for (const std::size_t member : members) {
    const TensorOptions& tensor = options[member];
    const std::optional<std::size_t> next = next_option(tensor, plan[member], is_up);
    if (!next) continue;
    const TensorOption& now = tensor.options[plan[member]];
    const TensorOption& other = tensor.options[*next];
    exchange.options.emplace_back(member, *next);
    exchange.bytes += std::abs(difference(other.bytes, now.bytes));
    exchange.single += other.loss - now.loss;
  }
  if (exchange.options.empty()) return std::nullopt;
  return exchange;
}

std::optional<ExchangedPlan> best_exchange(const std::vector<TensorOptions>& options,
                                           const std::vector<std::size_t>& plan,
                                           const std::vector<Exchange>& exchanges,
                                           std::uint64_t bytes, double caution) {
  const double toll = caution * mean_worth(exchanges);
  std::vector<Choices> choices(options.size());
  for (std::size_t i = 0; i < options.size(); ++i)
    choices[i].add(plan[i], options[i].options[plan[i]].bytes, 0.0, toll);
  for (const Exchange& exchange : exchanges) {
    const double ratio = exchange.change / exchange.single;
    for (const auto& [tensor, last] : exchange.options) {
      const std::vector<TensorOption>& all = options[tensor].options;
      const TensorOption& now = all[plan[tensor]];
      const auto [least, most] = std::minmax(now.bytes, all[last].bytes);
      for (std::size_t option = 0; option < all.size(); ++option)
        if (option != plan[tensor] && all[option].bytes >= least && all[option].bytes <= most)
          choices[tensor].add(option, all[option].bytes, (all[option].loss - now.loss) * ratio,
                              toll);
    }
  }
  std::vector<BudgetItem> items;
  for (const Choices& tensor : choices) items.push_back(tensor.item);
  const std::optional<Selection> best = BudgetCurve(std::move(items)).best_within(bytes);
  if (!best) return std::nullopt;
  ExchangedPlan result;
  for (std::size_t i = 0; i < options.size(); ++i) {
    result.options.push_back(choices[i].options[best->options[i]]);
    result.changes.push_back(choices[i].change[best->options[i]]);
  }
  return result;
}

}  // namespace bankai::packer
