// Ranks as threads of one process: tests run the parallel code with it, also under sanitizers.
// It is stricter than MPI: ranks that call different collectives, or a rank that returns while
// others wait for it, stop the program with a message instead of hanging.
#pragma once

#include <functional>

#include "mpi/communicator.h"

namespace bankai::mpi {

// Calls run(communicator) once per rank, each on a thread of its own, and returns when all have
// returned. If a rank throws, the others stop at their next collective, and the exception of the
// lowest rank that threw is thrown again here. Teams are groups of `ranks_per_team` consecutive
// ranks; 0 makes all ranks one team.
void run_ranks(int size, const std::function<void(Communicator&)>& run, int ranks_per_team = 0);

}  // namespace bankai::mpi
