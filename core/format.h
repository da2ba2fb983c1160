// printf-style formatting into a std::string, for messages.
#pragma once

#include <string>

#include "core/result.h"

namespace bankai {

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

// Error{code, format(pattern, ...)}.
[[gnu::format(printf, 2, 3)]] Error make_error(ErrorCode code, const char* pattern, ...);

}  // namespace bankai
