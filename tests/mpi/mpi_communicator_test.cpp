// What only real MPI must be asked: does a waiting rank leave its core to others?
#include "mpi/mpi_communicator.h"

#include <sys/resource.h>

#include <chrono>
#include <thread>

#include "core/clock.h"
#include "tests/mpi/rank_runners.h"

namespace bankai::mpi {
namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

using MpiCommunicatorTest = OnRanks;

TEST_P(MpiCommunicatorTest, a_waiting_rank_uses_little_of_its_core) {
  if (GetParam().size == 1) GTEST_SKIP() << "one rank never waits";
  run([](Communicator& communicator) {
    communicator.barrier();
    const Stopwatch waited;
    const double cpu_before = cpu_seconds();
    if (communicator.rank() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(500));
    communicator.barrier();
    EXPECT_GE(waited.seconds(), 0.4);
    EXPECT_LE(cpu_seconds() - cpu_before, 0.15 * waited.seconds());
  });
}

BANKAI_ON_ALL_KINDS_OF_RANKS(MpiCommunicatorTest);

}  // namespace
}  // namespace bankai::mpi
