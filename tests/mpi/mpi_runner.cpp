// The main program of the tests that mpirun starts: every rank runs all tests on one session.
#include <cstdio>

#include "mpi/mpi_communicator.h"
#include "tests/mpi/rank_runners.h"

namespace bankai::mpi {
namespace {

Session* the_session = nullptr;

}  // namespace

std::vector<RankRunner> rank_runners() {
  Communicator& communicator = the_session->communicator();
  return {{"Mpi", communicator.size(),
           [&](const std::function<void(Communicator&)>& test) { test(communicator); }}};
}

}  // namespace bankai::mpi

int main(int argc, char** argv) {
  // Small pieces, so that the long messages of the tests travel in several.
  constexpr std::size_t kMaxMessageBytes = 1 << 18;
  auto session = bankai::mpi::start_mpi_session(kMaxMessageBytes);
  if (!session.ok()) {
    std::fprintf(stderr, "%s\n", session.error().message.c_str());
    return 1;
  }
  bankai::mpi::the_session = session.value().get();
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
