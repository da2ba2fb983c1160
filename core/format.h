// printf-style formatting into a std::string, for messages.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace bankai {

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

// Text from outside, fit for a one-line message: in single quotes, everything but printable ASCII
// as \xNN, at most the first 80 bytes.
std::string quoted(std::string_view text);

// Error{code, format(pattern, ...)}.
[[gnu::format(printf, 2, 3)]] Error make_error(ErrorCode code, const char* pattern, ...);

}  // namespace bankai
