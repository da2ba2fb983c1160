// How the programs' reports write counts and the lines of their tables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bankai::cli {

// "1 rank", "0 ranks", "2 ranks". `plural` is for words that do not only take an s.
std::string counted(std::uint64_t count, std::string_view singular, std::string_view plural = "");

// `text` without the blanks at the ends of its lines, which padded columns leave behind.
std::string without_trailing_blanks(std::string_view text);

}  // namespace bankai::cli
