// Threads that wait for short pieces of work one after the other (parallel.cpp starts them).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace bankai::model {

class ThreadTeam {
 public:
  // A worker's life: runs its part of every task, until the team is dismissed. `index` is at least
  // 1 and below the size of the team; each is used by one thread.
  void serve(std::size_t index);

  // Leader only: task(part) for all parts below `parts`, part 0 on this thread; returns when all
  // are done. REQUIRES: one part or more, at most as many as the team has members; tasks do not
  // throw.
  void run(std::size_t parts, const std::function<void(std::size_t)>& task);

  // Leader only: serve() returns on every worker.
  void dismiss();

 private:
  // Orders are numbered; the low bits tell the parts, 0: go home.
  static constexpr std::uint64_t kPartBits = 16;

  std::atomic<std::uint64_t> order_{1};
  std::atomic<std::size_t> unfinished_{0};
  const std::function<void(std::size_t)>* task_ = nullptr;
};

}  // namespace bankai::model
