#include "core/version.h"

namespace bankai {

// The build sets BANKAI_VERSION_TEXT for this file alone, so that a new commit rebuilds no other.
const char* version_string() { return BANKAI_VERSION_TEXT; }

}  // namespace bankai
