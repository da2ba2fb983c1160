// The value-or-error type of every function that reads bytes or options from outside.
// Broken preconditions are BANKAI_CHECK's; out of memory stays std::bad_alloc.
// An Error is a value: it can be copied, sent to another rank and printed on one line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "core/check.h"

namespace bankai {

// The numbers are part of the interface (they travel between ranks); never renumber.
enum class ErrorCode : std::uint8_t {
  kIo = 1,            // the operating system refused: open, read, write, rename, sync
  kInternal = 2,      // our own invariant failed
  kUsage = 3,         // wrong options or arguments
  kBadInput = 4,      // an input file is damaged, cut short or breaks its format
  kUnsupported = 5,   // a well-formed input that this program cannot handle
  kMismatch = 6,      // two inputs do not belong together (a patch for another base)
  kNoSolution = 7,    // nothing within the budget, or nothing that generalises
  kVerification = 8,  // something that was claimed did not hold when re-checked
  kStopped = 9,       // stopped early, with a checkpoint to resume from
  kInterrupted = 10,  // interrupted by the user without a checkpoint
};

// The word that stands for the code in --json output and in logs, e.g. "bad_input".
const char* error_code_name(ErrorCode code);

// The process exit code of cli.md: 0 to 5, 75, 130.
int exit_code(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // one line: where (file, offset, tensor), what was found, what was expected
};

// `error` with "context: " put in front of its message.
Error with_context(Error error, const std::string& context);

template <typename T>
class [[nodiscard]] Result {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): `return value;` is the point of the type.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): so is `return make_error(…);`.
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // REQUIRES: ok().
  T& value() & {
    BANKAI_CHECK(ok(), "value() of a Result that holds an error");
    return std::get<0>(state_);
  }
  const T& value() const& {
    BANKAI_CHECK(ok(), "value() of a Result that holds an error");
    return std::get<0>(state_);
  }
  T&& value() && {
    BANKAI_CHECK(ok(), "value() of a Result that holds an error");
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !ok().
  const Error& error() const& {
    BANKAI_CHECK(!ok(), "error() of a Result that holds a value");
    return std::get<1>(state_);
  }
  Error&& error() && {
    BANKAI_CHECK(!ok(), "error() of a Result that holds a value");
    return std::get<1>(std::move(state_));
  }

 private:
  std::variant<T, Error> state_;
};

// Success, or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  // REQUIRES: !ok().
  const Error& error() const& {
    BANKAI_CHECK(!ok(), "error() of a Status that is ok");
    return *error_;
  }
  Error&& error() && {
    BANKAI_CHECK(!ok(), "error() of a Status that is ok");
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace bankai

// Returns the error of a Status or Result expression from the enclosing function.
#define BANKAI_RETURN_IF_ERROR(expression)                          \
  do {                                                              \
    if (auto bankai_status_ = (expression); !bankai_status_.ok()) { \
      return std::move(bankai_status_).error();                     \
    }                                                               \
  } while (false)

// BANKAI_ASSIGN_OR_RETURN(auto x, f()): x is f()'s value, or f()'s error is returned.
#define BANKAI_ASSIGN_OR_RETURN(declaration, expression) \
  BANKAI_ASSIGN_OR_RETURN_IMPL(BANKAI_CONCAT(bankai_result_, __LINE__), declaration, expression)
#define BANKAI_ASSIGN_OR_RETURN_IMPL(result, declaration, expression) \
  auto result = (expression);                                         \
  if (!result.ok()) {                                                 \
    return std::move(result).error();                                 \
  }                                                                   \
  declaration = std::move(result).value()
#define BANKAI_CONCAT(a, b) BANKAI_CONCAT_IMPL(a, b)
#define BANKAI_CONCAT_IMPL(a, b) a##b
