// A program with a session, as those of cli are, to see how programs start and end.
// session_trial ranks: rank 0 prints the number of ranks. session_trial abort|throw: the last rank
// ends itself while the others wait for it.
#include <cstdio>
#include <stdexcept>
#include <string>

#include "mpi/session.h"

namespace bankai::mpi {
namespace {

int run(const std::string& what) {
  auto session = start_session();
  if (!session.ok()) {
    std::fprintf(stderr, "session_trial: %s\n", session.error().message.c_str());
    return exit_code(session.error().code);
  }
  Communicator& communicator = (*session)->communicator();
  const bool is_last = communicator.rank() == communicator.size() - 1;
  if (is_last && what == "abort") (*session)->abort("session_trial: out of luck", 75);
  const auto part = communicator.split(0);  // an exception must not wait for its other ranks
  if (is_last && what == "throw") throw std::runtime_error("thrown on purpose");
  communicator.barrier();
  if (communicator.rank() == 0) std::printf("%d ranks\n", communicator.size());
  return 0;
}

}  // namespace
}  // namespace bankai::mpi

int main(int argc, char** argv) {
  try {
    return bankai::mpi::run(argc > 1 ? argv[1] : "ranks");
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "session_trial: %s\n", exception.what());
    return 1;
  }
}
