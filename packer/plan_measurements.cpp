// The part of the planner that measures: single steps, and plans along the path of the choice.
#include <algorithm>
#include <map>
#include <tuple>

#include "packer/plan.h"

namespace bankai::packer {
namespace {

constexpr std::size_t kMostLevels = 8;
constexpr std::size_t kLeastLevels = 3;
constexpr std::size_t kFirstPathPoints = 6;
constexpr std::size_t kPathPoints = 20;

// A point of the path that was measured.
struct PathPoint {
  std::size_t index = 0;
  double sum = 0.0;
  NllChange change;

  // What the loss is at least as far as the sample of targets can tell.
  double visible_loss() const { return std::max(change.mean, 2.0 * change.standard_error); }
};

// The middle of the two neighbours between which the loss grows most; nullopt if there is nothing
// between any. `points`: by index, the first one of the exact model.
std::optional<std::size_t> next_index(const std::vector<PathPoint>& points) {
  std::optional<std::size_t> best;
  double most = 0.0;
  for (std::size_t i = 1; i < points.size(); ++i) {
    const PathPoint& low = points[i - 1];
    const PathPoint& high = points[i];
    if (high.index - low.index < 2) continue;
    const double from = std::max(low.visible_loss(), high.visible_loss() / 100.0);
    const double growth = from > 0.0 ? high.visible_loss() / from : 1.0;
    if (best && growth <= most) continue;
    best = low.index + (high.index - low.index) / 2;
    most = growth;
  }
  return best;
}

// The member's step at a level: levels divide its hull evenly; nullopt below the first step.
std::optional<std::size_t> option_at(const std::vector<std::size_t>& hull, std::size_t level,
                                     std::size_t levels) {
  const std::size_t index = (level + 1) * hull.size() / levels;
  if (index == 0) return std::nullopt;
  return hull[index - 1];
}

// The first index below `count` at which `holds` does; from there on it always does. Else `count`.
template <typename Holds>
std::size_t first_index(std::size_t count, const Holds& holds) {
  std::size_t first = 0;
  while (first < count) {
    const std::size_t middle = first + (count - first) / 2;
    if (holds(middle))
      count = middle;
    else
      first = middle + 1;
  }
  return first;
}

}  // namespace

// Vectors form one group: each of them weighs little. Token tables stand alone. Matrices of a kind
// join those of neighbouring layers.
std::vector<Planner::Group> Planner::make_groups(std::size_t layers_together) const {
  std::map<std::tuple<int, std::size_t, std::size_t>, Group> groups;
  std::vector<bool> is_seen(options_.size());
  for (std::size_t stage = 0; stage < exchange_.num_stages(); ++stage) {
    for (const std::size_t tensor : exchange_.stage_tensors(stage)) {
      if (is_seen[tensor] || hull_options(options_[tensor]).empty()) continue;
      is_seen[tensor] = true;
      const TensorRole role = options_[tensor].role;
      std::tuple<int, std::size_t, std::size_t> key{static_cast<int>(role), 0, 0};
      if (role == TensorRole::kTokenTable) key = {static_cast<int>(role), tensor, 0};
      if (role == TensorRole::kMatrix) {
        const TensorAddress address = exchange_.parts(tensor).front().address;
        key = {static_cast<int>(role), static_cast<std::size_t>(address.projection),
               address.layer / layers_together};
      }
      const auto [group, is_new] = groups.try_emplace(key);
      if (is_new) group->second.first_stage = stage;
      group->second.members.push_back(tensor);
    }
  }
  std::vector<Group> ordered;
  for (auto& [key, group] : groups) ordered.push_back(std::move(group));
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const Group& a, const Group& b) { return a.first_stage < b.first_stage; });
  return ordered;
}

std::size_t Planner::num_levels(const Group& group, std::size_t levels) const {
  std::size_t longest = 0;
  for (const std::size_t member : group.members)
    longest = std::max(longest, hull_options(options_[member]).size());
  return std::min(levels, longest);
}

Planner::Schedule Planner::make_schedule() const {
  const std::size_t num_layers = model_.parameters().num_layers;
  for (std::size_t together = 1;; together *= 2) {
    std::vector<Group> groups = make_groups(together);
    for (std::size_t levels = kMostLevels; levels >= kLeastLevels; --levels) {
      std::size_t count = 0;
      for (const Group& group : groups) count += num_levels(group, levels);
      if (count <= settings_.max_measurements || (together >= num_layers && levels == kLeastLevels))
        return {std::move(groups), levels};
    }
  }
}

Status Planner::measure_steps(const Progress& progress) {
  schedule_ = make_schedule();
  NllMeter::Rows rows;
  for (std::size_t i = 0; i < schedule_.groups.size(); ++i) {
    progress("losses of steps",
             static_cast<double>(i) / static_cast<double>(schedule_.groups.size()));
    const Group& group = schedule_.groups[i];
    meter_->advance(rows, group.first_stage);
    BANKAI_RETURN_IF_ERROR(measure_group(group, num_levels(group, schedule_.levels), rows));
  }
  return {};
}

Status Planner::measure_group(const Group& group, std::size_t levels, const NllMeter::Rows& rows) {
  std::vector<std::vector<StepMeasurement>> measurements(group.members.size());
  for (std::size_t level = 0; level < levels; ++level) {
    std::vector<double> estimates(group.members.size());
    double total = 0.0;
    for (std::size_t m = 0; m < group.members.size(); ++m) {
      const TensorOptions& options = options_[group.members[m]];
      const std::optional<std::size_t> option = option_at(hull_options(options), level, levels);
      if (!option) continue;
      estimates[m] = options.options[*option].estimate;
      total += estimates[m];
      BANKAI_ASSIGN_OR_RETURN(LossyTensor changed,
                              changed_tensor(options.tensor, options.options[*option].step));
      BANKAI_RETURN_IF_ERROR(exchange_.put(options.tensor, std::move(changed)));
    }
    const NllChange change = compare_nll(exact_nll_, meter_->finish(rows));
    exchange_.restore();
    ++num_measurements_;
    if (!(total > 0.0)) continue;
    for (std::size_t m = 0; m < group.members.size(); ++m)
      measurements[m].push_back({estimates[m], change.mean / total});
  }
  for (std::size_t m = 0; m < group.members.size(); ++m)
    correct_losses(options_[group.members[m]], std::move(measurements[m]));
  return {};
}

Status Planner::measure_path(const Progress& progress) {
  std::vector<PathPoint> points(1);
  const auto measure_point = [&](std::size_t index) -> Status {
    progress("plans as a whole",
             static_cast<double>(points.size() - 1) / static_cast<double>(kPathPoints));
    Plan plan = plan_of(curve_->point(index));
    BANKAI_RETURN_IF_ERROR(measure(plan));
    const auto place =
        std::upper_bound(points.begin(), points.end(), index,
                         [](std::size_t at, const PathPoint& point) { return at < point.index; });
    points.insert(place, {index, plan.sum_of_losses, {*plan.measured, plan.standard_error}});
    return {};
  };
  const std::size_t last = curve_->num_points() - 1;
  for (std::size_t i = 1; i <= kFirstPathPoints; ++i)
    if (const std::size_t index = i * last / kFirstPathPoints; index != points.back().index)
      BANKAI_RETURN_IF_ERROR(measure_point(index));
  while (points.size() <= kPathPoints) {
    const std::optional<std::size_t> index = next_index(points);
    if (!index) break;
    BANKAI_RETURN_IF_ERROR(measure_point(*index));
  }
  for (const PathPoint& point : points) path_.push_back({point.sum, point.change.mean});
  fit_ = LossFit(path_);
  for (Plan& plan : measured_) plan.predicted = fit_without(plan).predict(plan.sum_of_losses);
  return {};
}

Result<double> Planner::loss_of(const Selection& selection) {
  Plan plan = plan_of(selection);
  if (plan.is_exact()) return 0.0;
  BANKAI_RETURN_IF_ERROR(measure(plan));
  return *plan.measured;
}

LossFit Planner::fit_without(const Plan& plan) const {
  std::vector<LossFit::Point> others;
  for (const LossFit::Point& point : path_)
    if (point.sum != plan.sum_of_losses) others.push_back(point);
  return LossFit(std::move(others));
}

// The curve has 20 points, and the loss is not smooth between them. The plans of the path right
// below and above differ from this one by a step or two, so the loss is taken to be straight there.
Status Planner::predict(Plan& plan) {
  const std::size_t num_points = curve_->num_points();
  const double sum = plan.sum_of_losses;
  const std::size_t not_below =
      first_index(num_points, [&](std::size_t i) { return curve_->point(i).loss >= sum; });
  const std::size_t above =
      first_index(num_points, [&](std::size_t i) { return curve_->point(i).loss > sum; });
  if (not_below == 0) return {};
  const Selection before = curve_->point(not_below - 1);
  BANKAI_ASSIGN_OR_RETURN(const double low, loss_of(before));
  if (above < num_points) {
    const Selection after = curve_->point(above);
    BANKAI_ASSIGN_OR_RETURN(const double high, loss_of(after));
    plan.predicted = low + (high - low) * (sum - before.loss) / (after.loss - before.loss);
  } else {
    BANKAI_ASSIGN_OR_RETURN(const double change, last_change(plan, not_below - 1));
    plan.predicted = low + change;
  }
  const auto known = std::ranges::find(measured_, plan.options, &Plan::options);
  if (known != measured_.end()) known->predicted = plan.predicted;
  return {};
}

// At the end of the path: what leads from point `before` to the plan is done at an earlier point,
// where it gives another plan than this one.
Result<double> Planner::last_change(const Plan& plan, std::size_t before) {
  const std::vector<std::size_t> last = curve_->point(before).options;
  for (std::size_t index = before; index-- > 0;) {
    const Selection earlier = curve_->point(index);
    std::vector<std::size_t> options = earlier.options;
    for (std::size_t i = 0; i < options.size(); ++i)
      if (plan.options[i] != last[i]) options[i] = plan.options[i];
    if (options == plan.options) continue;
    BANKAI_ASSIGN_OR_RETURN(const double without, loss_of(earlier));
    BANKAI_ASSIGN_OR_RETURN(const double with, loss_of(curve_->selection(std::move(options))));
    return with - without;
  }
  const LossFit fit = fit_without(plan);
  return fit.predict(plan.sum_of_losses) - fit.predict(curve_->point(before).loss);
}

}  // namespace bankai::packer
