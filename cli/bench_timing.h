// Repeated measurements of time, for bankai-bench.
#pragma once

#include <cstddef>
#include <functional>

namespace bankai::cli {

// The median of up to `repetitions` runs; no further run is begun after half a minute, so that a
// large model on a small machine still comes to an end. REQUIRES: repetitions is at least 1.
double median_seconds(std::size_t repetitions, const std::function<void()>& body);

// The same beside a limit of the machine that is measured before each run, since both drift: the
// medians of the two.
struct BesideLimit {
  double seconds = 0.0;
  double limit = 0.0;
};
BesideLimit median_beside(std::size_t repetitions, const std::function<double()>& measure_limit,
                          const std::function<void()>& body);

}  // namespace bankai::cli
