// What a label (the name of a patch, of a base) may hold, so that it can be printed on one line of
// any terminal: well-formed UTF-8 without control characters.
#pragma once

#include <cstddef>
#include <string_view>

#include "core/result.h"

namespace bankai::patch {

// The longest prefix that is a label and takes at most `max_bytes`.
std::string_view label_prefix(std::string_view text, std::size_t max_bytes);

// Errors (kBadInput, naming `what` and the byte): not a label.
Status check_label(std::string_view text, const char* what);

}  // namespace bankai::patch
