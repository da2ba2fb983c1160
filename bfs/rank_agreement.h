// How well predicted changes order candidates, against exact ones.
#pragma once

#include <cstddef>
#include <span>

namespace bankai::bfs {

struct RankAgreement {
  std::size_t count = 0;
  double spearman = 0.0;          // correlation of ranks, equal values sharing the mean of theirs
  double pearson = 0.0;           // correlation of values
  std::size_t top = 0;            // of the candidates with the best predictions, at most 40,
  std::size_t top_improving = 0;  // so many truly improve
};

// 0 where a correlation is not defined. REQUIRES: equally many of both, none NaN.
RankAgreement compare_rankings(std::span<const double> predicted, std::span<const double> exact);

}  // namespace bankai::bfs
