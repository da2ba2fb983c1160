// How many threads a rank should start when nobody said so.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "mpi/communicator.h"

namespace bankai::mpi {

// Collective. The cores that this rank may use (its affinity mask), each divided by the number of
// ranks of the same team that may use it too; at least 1. So launchers that bind each rank to cores
// of its own and launchers that bind none give the same number.
int cores_for_this_rank(Communicator& communicator);

// Local and pure. The same from what is known of all ranks: the usable cores of rank i are
// cores_of_rank[i] (core numbers, each once), its team is team_of_rank[i].
int share_cores(std::span<const std::vector<int>> cores_of_rank, std::span<const int> team_of_rank,
                std::size_t rank);

}  // namespace bankai::mpi
