// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace bankai::model {

// Bytes of the well-formed character at the start of `text`; 0 if there is none.
std::size_t utf8_character_bytes(std::string_view text);

}  // namespace bankai::model
