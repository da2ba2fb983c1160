#include "bfs/pareto_front.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "core/check.h"

namespace bankai::bfs {
namespace {

bool is_no_worse(const ParetoPoint& a, const ParetoPoint& b) {
  return a.patch_bytes <= b.patch_bytes && pareto_allows(b.gains, a.gains);
}

}  // namespace

bool pareto_allows(std::span<const double> before, std::span<const double> after) {
  BANKAI_CHECK(before.size() == after.size(), "gains of different sets");
  return std::equal(after.begin(), after.end(), before.begin(),
                    [](double new_gain, double old_gain) { return new_gain >= old_gain; });
}

bool dominates(const ParetoPoint& a, const ParetoPoint& b) {
  return is_no_worse(a, b) && !is_no_worse(b, a);
}

bool add_to_front(ParetoFront& front, ParetoPoint point) {
  const auto is_finite = [](double gain) { return std::isfinite(gain); };
  if (!std::all_of(point.gains.begin(), point.gains.end(), is_finite)) return false;
  for (const ParetoPoint& other : front)
    if (is_no_worse(other, point)) return false;
  std::erase_if(front, [&](const ParetoPoint& other) { return dominates(point, other); });
  const auto place = std::upper_bound(
      front.begin(), front.end(), point.patch_bytes,
      [](std::uint64_t bytes, const ParetoPoint& other) { return bytes < other.patch_bytes; });
  front.insert(place, std::move(point));
  return true;
}

std::string to_json(const ParetoFront& front) {
  nlohmann::ordered_json points = nlohmann::ordered_json::array();
  for (const ParetoPoint& point : front)
    points.push_back({{"round", point.round},
                      {"flips", point.flips},
                      {"patch_bytes", point.patch_bytes},
                      {"gains", point.gains}});
  return points.dump();
}

}  // namespace bankai::bfs
