#include "core/format.h"

#include <cstdarg>
#include <cstdio>

namespace bankai {
namespace {

[[gnu::format(printf, 1, 0)]] std::string format_va(const char* pattern, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, pattern, again);
  va_end(again);
  BANKAI_CHECK(length >= 0, "a broken format string");
  std::string text(static_cast<std::size_t>(length), '\0');
  std::vsnprintf(text.data(), text.size() + 1, pattern, arguments);
  return text;
}

}  // namespace

std::string format(const char* pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  std::string text = format_va(pattern, arguments);
  va_end(arguments);
  return text;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kMaxBytes = 80;
  std::string result = "'";
  for (const char c : text.substr(0, kMaxBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte >= 0x20 && byte < 0x7f ? std::string(1, c) : format("\\x%02x", byte);
  }
  return result + (text.size() > kMaxBytes ? "…'" : "'");
}

Error make_error(ErrorCode code, const char* pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  Error error{code, format_va(pattern, arguments)};
  va_end(arguments);
  return error;
}

}  // namespace bankai
