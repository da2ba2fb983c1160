// Several tasks at once: which states of a search are better than others when no task may pay for
// another. Each file given as target is one set; its gain is the weighted mean change of its
// scores.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bankai::bfs {

// May a batch be accepted that takes the sets' gains from `before` to `after`? Only if none falls.
// False where a gain is not a number. REQUIRES: as many of one as of the other.
bool pareto_allows(std::span<const double> before, std::span<const double> after);

struct ParetoPoint {
  std::uint64_t round = 0;
  std::uint64_t flips = 0;
  std::uint64_t patch_bytes = 0;
  std::vector<double> gains;  // by target set

  bool operator==(const ParetoPoint&) const = default;
};

// No worse in any set's gain and in bytes, and better in one of them.
bool dominates(const ParetoPoint& a, const ParetoPoint& b);

// Points that none of the others dominates, ascending in bytes, then in order of arrival.
using ParetoFront = std::vector<ParetoPoint>;

// Adds the point and drops those that it dominates. False, and no change, if one of the front
// dominates it or equals it in gains and bytes, or if a gain is not finite.
bool add_to_front(ParetoFront& front, ParetoPoint point);

// An array of objects with the fields of ParetoPoint, as compact JSON text.
std::string to_json(const ParetoFront& front);

}  // namespace bankai::bfs
