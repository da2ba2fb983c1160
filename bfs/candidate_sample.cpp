#include "bfs/candidate_sample.h"

#include <set>

#include "core/counter_rng.h"

namespace bankai::bfs {

// Floyd's sampling (Bentley and Floyd 1987).
std::vector<CandidateId> sample_candidates(CandidateId first, std::uint64_t size,
                                           std::uint64_t count, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::set<CandidateId> chosen;
  for (std::uint64_t last = count < size ? size - count : 0; last < size; ++last) {
    const std::uint64_t drawn = count < size ? rng.below(last, last + 1) : last;
    if (!chosen.insert(first + drawn).second) chosen.insert(first + last);
  }
  return {chosen.begin(), chosen.end()};
}

}  // namespace bankai::bfs
