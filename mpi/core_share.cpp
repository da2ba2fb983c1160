#include "mpi/core_share.h"

#include <sched.h>

#include <algorithm>
#include <cstring>

namespace bankai::mpi {
namespace {

std::vector<int> usable_cores() {
  // A mask shorter than the kernel's is refused, so it grows until it fits.
  for (int max_cores = 1024; max_cores <= 1024 * 1024; max_cores *= 2) {
    const auto num_cores = static_cast<std::size_t>(max_cores);
    std::vector<cpu_set_t> mask(CPU_ALLOC_SIZE(num_cores) / sizeof(cpu_set_t) + 1);
    const std::size_t mask_bytes = mask.size() * sizeof(cpu_set_t);
    if (sched_getaffinity(0, mask_bytes, mask.data()) != 0) continue;
    std::vector<int> cores;
    for (int core = 0; core < max_cores; ++core)
      if (CPU_ISSET_S(static_cast<std::size_t>(core), mask_bytes, mask.data()))
        cores.push_back(core);
    return cores;
  }
  return {0};
}

}  // namespace

int cores_for_this_rank(Communicator& communicator) {
  const std::vector<int> mine = usable_cores();
  std::vector<std::vector<int>> cores_of_rank;
  for (const std::vector<std::byte>& bytes :
       communicator.all_gather(std::as_bytes(std::span<const int>(mine)))) {
    std::vector<int> cores(bytes.size() / sizeof(int));
    std::memcpy(cores.data(), bytes.data(), bytes.size());
    cores_of_rank.push_back(std::move(cores));
  }
  return share_cores(cores_of_rank, communicator.team_of_rank(),
                     static_cast<std::size_t>(communicator.rank()));
}

int share_cores(std::span<const std::vector<int>> cores_of_rank, std::span<const int> team_of_rank,
                std::size_t rank) {
  double share = 0;
  for (const int core : cores_of_rank[rank]) {
    int num_users = 0;
    for (std::size_t other = 0; other < cores_of_rank.size(); ++other) {
      const std::vector<int>& cores = cores_of_rank[other];
      if (team_of_rank[other] == team_of_rank[rank] &&
          std::find(cores.begin(), cores.end(), core) != cores.end())
        ++num_users;
    }
    share += 1.0 / num_users;
  }
  constexpr double kRoundingError = 1e-6;
  return std::max(1, static_cast<int>(share + kRoundingError));
}

}  // namespace bankai::mpi
