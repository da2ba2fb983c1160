// A first pass over JSON text from outside that bounds what a document tree may become.
#pragma once

#include <string_view>

#include "core/result.h"

namespace bankai::patch {

// Errors (kBadInput, with the offset): not JSON, nested deeper than 32, or an object with the same
// key twice, which readers would resolve in different ways.
Status check_json(std::string_view text);

}  // namespace bankai::patch
