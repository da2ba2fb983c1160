#include "cli/bench_timing.h"

#include <algorithm>
#include <vector>

#include "core/clock.h"

namespace bankai::cli {
namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2.0;
}

}  // namespace

BesideLimit median_beside(std::size_t repetitions, const std::function<double()>& measure_limit,
                          const std::function<void()>& body) {
  constexpr double kEnoughSeconds = 30.0;
  std::vector<double> seconds;
  std::vector<double> limits;
  const Stopwatch whole;
  do {
    limits.push_back(measure_limit());
    const Stopwatch clock;
    body();
    seconds.push_back(clock.seconds());
  } while (seconds.size() < repetitions && whole.seconds() < kEnoughSeconds);
  return {median(seconds), median(limits)};
}

double median_seconds(std::size_t repetitions, const std::function<void()>& body) {
  return median_beside(
             repetitions, [] { return 0.0; }, body)
      .seconds;
}

}  // namespace bankai::cli
