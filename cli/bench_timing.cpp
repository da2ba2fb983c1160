#include "cli/bench_timing.h"

#include <algorithm>
#include <vector>

#include "core/clock.h"

namespace bankai::cli {

double median_seconds(std::size_t repetitions, const std::function<void()>& body) {
  constexpr double kEnoughSeconds = 30.0;
  std::vector<double> seconds;
  const Stopwatch whole;
  do {
    const Stopwatch clock;
    body();
    seconds.push_back(clock.seconds());
  } while (seconds.size() < repetitions && whole.seconds() < kEnoughSeconds);
  std::sort(seconds.begin(), seconds.end());
  const std::size_t middle = seconds.size() / 2;
  return seconds.size() % 2 == 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2.0;
}

}  // namespace bankai::cli
