// Patch files of either format.
#pragma once

#include <string>

#include "core/atomic_file.h"
#include "core/result.h"
#include "patch/patch.h"

namespace bankai::patch {

// Tells the formats apart by their first bytes; "-" is standard input. A file without a name in it
// is named after the file. Errors name the file: kIo, kBadInput, kUnsupported.
Result<Patch> read_patch(const std::string& path);

// Binary for a path that ends in ".bkp", JSON for ".json" and for "-" (standard output).
// Errors: kUsage for another ending or an existing file that may not be replaced; kIo; kUnsupported
// if the file would be larger than a reader takes.
Status write_patch(const Patch& patch, const std::string& path, Overwrite overwrite);

}  // namespace bankai::patch
