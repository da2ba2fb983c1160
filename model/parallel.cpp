#include "model/parallel.h"

#include <sched.h>

#include <algorithm>
#include <exception>
#include <vector>

namespace bankai::model {

void parallel_for(int threads, std::size_t count, const std::function<void(IndexRange)>& body) {
  const std::size_t parts = std::min(count, static_cast<std::size_t>(std::max(threads, 1)));
  if (parts <= 1) {
    if (count > 0) body({0, count});
    return;
  }
  std::vector<std::exception_ptr> failures(parts);
#pragma omp parallel for num_threads(static_cast <int>(parts)) schedule(static, 1) default(none) \
    shared(parts, count, body, failures)
  for (std::size_t part = 0; part < parts; ++part) {
    try {
      body(part_of(count, parts, part));
    } catch (...) {
      failures[part] = std::current_exception();
    }
  }
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

int available_threads() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return std::max(1, CPU_COUNT(&allowed));
}

}  // namespace bankai::model
