#include "mpi/self_communicator.h"

#include "core/check.h"

namespace bankai::mpi {

void SelfCommunicator::broadcast(std::span<std::byte> /*data*/, int root) {
  BANKAI_CHECK(root == 0, "no such rank");
}

std::vector<std::vector<std::byte>> SelfCommunicator::all_gather(std::span<const std::byte> mine) {
  return {std::vector<std::byte>(mine.begin(), mine.end())};
}

std::int64_t SelfCommunicator::all_reduce(std::int64_t value, ReduceOp /*op*/) { return value; }

std::unique_ptr<Communicator> SelfCommunicator::split(int colour) {
  BANKAI_CHECK(colour >= 0, "a colour must not be negative");
  return std::make_unique<SelfCommunicator>();
}

std::span<const int> SelfCommunicator::team_of_rank() const {
  static constexpr int kTeam = 0;
  return {&kTeam, 1};
}

}  // namespace bankai::mpi
