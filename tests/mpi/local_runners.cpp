#include "mpi/self_communicator.h"
#include "mpi/thread_communicator.h"
#include "tests/mpi/rank_runners.h"

namespace bankai::mpi {

std::vector<RankRunner> rank_runners() {
  std::vector<RankRunner> runners;
  runners.push_back({"Self", 1, [](const std::function<void(Communicator&)>& test) {
                       SelfCommunicator self;
                       test(self);
                     }});
  const auto add_threads = [&](const std::string& name, int size, int ranks_per_team) {
    runners.push_back({name, size, [=](const std::function<void(Communicator&)>& test) {
                         run_ranks(size, test, ranks_per_team);
                       }});
  };
  for (int size = 1; size <= 8; ++size) add_threads("Threads" + std::to_string(size), size, 0);
  add_threads("Threads5InTeamsOf2", 5, 2);
  add_threads("Threads4InTeamsOf1", 4, 1);
  return runners;
}

}  // namespace bankai::mpi
