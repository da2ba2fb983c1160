// Real MPI, behind mpi/session.h. The source of this header is the only file that includes <mpi.h>.
#pragma once

#include <cstddef>
#include <memory>

#include "mpi/session.h"

namespace bankai::mpi {

// A longer payload travels in pieces, because MPI counts with int.
inline constexpr std::size_t kMaxMessageBytes = std::size_t{1} << 30;

// Starts MPI (once per process) and finalises it when the session is destroyed.
// Settings of Open MPI that let waiting ranks give way and that keep it quiet in containers are
// made here, unless the user made them. While a rank waits in a collective it sleeps, at the price
// of about a tenth of the time it waits, at most a millisecond.
// REQUIRES: max_message_bytes is at least the number of ranks and at most 2^31 - 1.
// Error: kUnsupported if the library gives less than MPI_THREAD_FUNNELED.
Result<std::unique_ptr<Session>> start_mpi_session(
    std::size_t max_message_bytes = kMaxMessageBytes);

}  // namespace bankai::mpi
