// The one place where threads are started: a loop over independent items, divided evenly and
// statically.
#pragma once

#include <cstddef>
#include <functional>

#include "core/partition.h"

namespace bankai::model {

// Calls body(range) for disjoint ranges that cover [0, count), on at most `threads` threads; the
// calling thread is one of them. The division depends on count and threads alone. An exception of a
// body (out of memory) is rethrown on the caller's thread.
void parallel_for(int threads, std::size_t count, const std::function<void(IndexRange)>& body);

// Keeps `threads` threads at hand while body() runs, for the parallel_for calls of this thread in
// it: many short loops then cost a fraction of a microsecond each instead of some. Threads that
// wait sleep after a moment.
void with_threads_at_hand(int threads, const std::function<void()>& body);

// The processors this process may run on, by its affinity mask: the default number of threads.
int available_threads();

}  // namespace bankai::model
