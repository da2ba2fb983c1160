// Results of test support, whose errors are exceptions.
#pragma once

#include <stdexcept>
#include <utility>

#include "core/result.h"

namespace bankai::testing {

// Throws std::runtime_error with the message of an error.
template <typename T>
T unwrap(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}

}  // namespace bankai::testing
