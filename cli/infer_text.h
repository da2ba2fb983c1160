// Bytes of tokens as text for people: tokens may end in the middle of a character.
#pragma once

#include <string>
#include <string_view>

namespace bankai::cli {

// Cuts a stream of bytes into complete characters. Bytes that no UTF-8 character can contain become
// U+FFFD, so that what comes out is always UTF-8 and does not depend on how the stream was cut.
class Utf8Stream {
 public:
  // What can be shown now.
  std::string push(std::string_view bytes);
  // What an unfinished character at the end becomes.
  std::string finish();

 private:
  std::string pending_;
};

// `text` on one line: control characters as \n, \t or \xNN, the rest as it is.
std::string one_line(std::string_view text);

// How many characters (not bytes) a text of well-formed UTF-8 has.
std::size_t count_characters(std::string_view text);

// `text`, at most `columns` characters of it (an ellipsis stands for the rest), padded to
// `columns`.
std::string column(std::string_view text, std::size_t columns);

}  // namespace bankai::cli
