#include "cli/infer_text.h"

#include <algorithm>

#include "core/format.h"
#include "model/utf8.h"

namespace bankai::cli {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr std::string_view kEllipsis = "\xe2\x80\xa6";

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80U; }

// Can `bytes` be the beginning of a character that has not ended yet? Tried with every ending: the
// first continuation byte alone decides about overlong forms, surrogates and the end of Unicode.
bool may_continue(std::string_view bytes) {
  for (const char first : {'\x80', '\x90', '\xa0', '\xbf'}) {
    std::string whole(bytes);
    for (whole += first; whole.size() <= 4; whole += '\xbf')
      if (model::utf8_character_bytes(whole) == whole.size()) return true;
  }
  return false;
}

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
  pending_ += bytes;
  std::string shown;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const std::size_t length = model::utf8_character_bytes(rest);
    if (length > 0) {
      shown += rest.substr(0, length);
      rest.remove_prefix(length);
    } else if (rest.size() < 4 && may_continue(rest)) {
      break;
    } else {
      shown += kReplacement;
      rest.remove_prefix(1);
    }
  }
  pending_ = std::string(rest);
  return shown;
}

std::string Utf8Stream::finish() {
  std::string shown;
  for (std::size_t i = 0; i < pending_.size(); ++i) shown += kReplacement;
  pending_.clear();
  return shown;
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n')
      line += "\\n";
    else if (c == '\t')
      line += "\\t";
    else if (byte < 0x20U || byte == 0x7fU)
      line += format("\\x%02x", byte);
    else
      line += c;
  }
  return line;
}

std::size_t count_characters(std::string_view text) {
  return text.size() -
         static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_continuation));
}

std::string column(std::string_view text, std::size_t columns) {
  const std::size_t length = count_characters(text);
  if (length <= columns) return std::string(text) + std::string(columns - length, ' ');
  std::string cut;
  std::size_t characters = 0;
  for (const char c : text) {
    if (!is_continuation(c) && ++characters == columns) break;
    cut += c;
  }
  return cut + std::string(kEllipsis);
}

}  // namespace bankai::cli
