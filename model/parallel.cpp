#include "model/parallel.h"

#include <sched.h>

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "model/thread_team.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace bankai::model {
namespace {

// The threads at hand of the thread that leads them.
struct TeamAtHand {
  ThreadTeam* team = nullptr;
  std::size_t size = 1;
};
thread_local TeamAtHand at_hand;

// Has the team at hand do the parts, and hides it meanwhile: a loop inside of a part runs alone.
void run_on_team(std::size_t parts, const std::function<void(std::size_t)>& part) {
  const TeamAtHand led = std::exchange(at_hand, {});
  led.team->run(parts, part);
  at_hand = led;
}

}  // namespace

void parallel_for(int threads, std::size_t count, const std::function<void(IndexRange)>& body) {
  const std::size_t parts = std::min(count, static_cast<std::size_t>(std::max(threads, 1)));
  if (parts <= 1) {
    if (count > 0) body({0, count});
    return;
  }
  std::vector<std::exception_ptr> failures(parts);
  const auto run_part = [&](std::size_t part) {
    try {
      body(part_of(count, parts, part));
    } catch (...) {
      failures[part] = std::current_exception();
    }
  };
  if (parts <= at_hand.size) {
    run_on_team(parts, run_part);
  } else {
#pragma omp parallel for num_threads(static_cast <int>(parts)) schedule(static, 1) default(none) \
    shared(parts, run_part)
    for (std::size_t part = 0; part < parts; ++part) run_part(part);
  }
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

void with_threads_at_hand(int threads, const std::function<void()>& body) {
  if (threads <= 1 || at_hand.team != nullptr) {
    body();
    return;
  }
  std::exception_ptr failure;
  ThreadTeam team;
#pragma omp parallel num_threads(threads) default(none) shared(team, body, failure)
  {
#ifdef _OPENMP
    const auto index = static_cast<std::size_t>(omp_get_thread_num());
    const auto size = static_cast<std::size_t>(omp_get_num_threads());
#else
    const std::size_t index = 0;
    const std::size_t size = 1;
#endif
    if (index > 0) {
      team.serve(index);
    } else {
      at_hand = {&team, size};
      try {
        body();
      } catch (...) {
        failure = std::current_exception();
      }
      at_hand = {};
      team.dismiss();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

int available_threads() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return std::max(1, CPU_COUNT(&allowed));
}

}  // namespace bankai::model
