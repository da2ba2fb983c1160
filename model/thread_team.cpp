#include "model/thread_team.h"

#include "core/check.h"

namespace bankai::model {
namespace {

// Returns when the value is another than `old`: looks again and again for about as long as a stage
// of a forward pass takes, then sleeps until it is told.
template <typename T>
T wait_for_change(const std::atomic<T>& value, T old) {
  constexpr int kPatience = 1 << 14;
  for (int looks = 0; looks < kPatience; ++looks) {
    const T now = value.load(std::memory_order_acquire);
    if (now != old) return now;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

}  // namespace

void ThreadTeam::serve(std::size_t index) {
  constexpr std::uint64_t kParts = (std::uint64_t{1} << kPartBits) - 1;
  std::uint64_t seen = 1;
  while (true) {
    const std::uint64_t order = wait_for_change(order_, seen);
    seen = order;
    if ((order & kParts) == 0) return;
    if (index >= (order & kParts)) continue;  // not needed for this task, and it may be over
    (*task_)(index);
    if (unfinished_.fetch_sub(1, std::memory_order_release) == 1) unfinished_.notify_one();
  }
}

void ThreadTeam::run(std::size_t parts, const std::function<void(std::size_t)>& task) {
  BANKAI_CHECK(parts > 0 && parts < (std::size_t{1} << kPartBits), "no parts, or too many");
  task_ = &task;
  unfinished_.store(parts - 1, std::memory_order_relaxed);
  const std::uint64_t number = (order_.load(std::memory_order_relaxed) >> kPartBits) + 1;
  order_.store((number << kPartBits) | parts, std::memory_order_release);
  order_.notify_all();
  task(0);
  for (std::size_t left = unfinished_.load(std::memory_order_acquire); left != 0;)
    left = wait_for_change(unfinished_, left);
}

void ThreadTeam::dismiss() {
  const std::uint64_t number = (order_.load(std::memory_order_relaxed) >> kPartBits) + 1;
  order_.store(number << kPartBits, std::memory_order_release);
  order_.notify_all();
}

}  // namespace bankai::model
