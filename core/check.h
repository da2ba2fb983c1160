// Checks of our own callers' preconditions. Input from outside is never checked with these:
// it is answered with a Result (core/result.h).
#pragma once

namespace bankai {

// Prints the failed condition to standard error and aborts.
[[noreturn]] void check_failed(const char* condition, const char* message, const char* file,
                               int line);

}  // namespace bankai

// Always on: the condition is cheap beside the work that it guards.
#define BANKAI_CHECK(condition, message)                               \
  do {                                                                 \
    if (!(condition)) {                                                \
      ::bankai::check_failed(#condition, message, __FILE__, __LINE__); \
    }                                                                  \
  } while (false)

// On in builds without NDEBUG: for inner loops.
#ifdef NDEBUG
#define BANKAI_DCHECK(condition, message) static_cast<void>(0)
#else
#define BANKAI_DCHECK(condition, message) BANKAI_CHECK(condition, message)
#endif
