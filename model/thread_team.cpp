#include "model/thread_team.h"

#include <sched.h>

#include "core/check.h"

namespace bankai::model {
namespace {

// Looks again and again for about as long as a stage of a forward pass takes, then lets other
// threads have the core between two looks.
class Waiting {
 public:
  void look_again() {
    constexpr int kPatience = 1 << 14;
    if (looks_ < kPatience) {
      ++looks_;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    } else {
      sched_yield();
    }
  }

 private:
  int looks_ = 0;
};

}  // namespace

void ThreadTeam::serve(std::size_t index) {
  constexpr std::uint64_t kParts = (std::uint64_t{1} << kPartBits) - 1;
  std::uint64_t seen = 1;
  while (true) {
    Waiting waiting;
    std::uint64_t order = 0;
    while ((order = order_.load(std::memory_order_acquire)) == seen) waiting.look_again();
    seen = order;
    if ((order & kParts) == 0) return;
    if (index >= (order & kParts)) continue;  // not needed for this task, and it may be over
    (*task_)(index);
    unfinished_.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadTeam::run(std::size_t parts, const std::function<void(std::size_t)>& task) {
  BANKAI_CHECK(parts < (std::size_t{1} << kPartBits), "too many parts");
  task_ = &task;
  unfinished_.store(parts - 1, std::memory_order_relaxed);
  const std::uint64_t number = (order_.load(std::memory_order_relaxed) >> kPartBits) + 1;
  order_.store((number << kPartBits) | parts, std::memory_order_release);
  task(0);
  Waiting waiting;
  while (unfinished_.load(std::memory_order_acquire) != 0) waiting.look_again();
}

void ThreadTeam::dismiss() {
  const std::uint64_t number = (order_.load(std::memory_order_relaxed) >> kPartBits) + 1;
  order_.store(number << kPartBits, std::memory_order_release);
}

}  // namespace bankai::model
