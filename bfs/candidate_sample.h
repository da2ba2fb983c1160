// Random choices among candidates, as functions of a seed alone.
#pragma once

#include <cstdint>
#include <vector>

#include "bfs/candidate_space.h"

namespace bankai::bfs {

// `count` different ones of the candidates first, first + 1, …, first + size - 1, ascending; all of
// them if there are no more.
std::vector<CandidateId> sample_candidates(CandidateId first, std::uint64_t size,
                                           std::uint64_t count, std::uint64_t seed);

}  // namespace bankai::bfs
