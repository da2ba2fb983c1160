#include "cli/report_text.h"

namespace bankai::cli {

std::string counted(std::uint64_t count, std::string_view singular, std::string_view plural) {
  std::string text = std::to_string(count) + " ";
  if (count == 1 || plural.empty()) text += singular;
  if (count != 1) text += plural.empty() ? "s" : plural;
  return text;
}

std::string without_trailing_blanks(std::string_view text) {
  std::string trimmed;
  std::size_t blanks = 0;  // read, and written once something other than a newline follows
  for (const char c : text) {
    if (c == ' ') {
      ++blanks;
      continue;
    }
    if (c != '\n') trimmed.append(blanks, ' ');
    blanks = 0;
    trimmed += c;
  }
  return trimmed;
}

}  // namespace bankai::cli
