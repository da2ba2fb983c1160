// The JSON patch format: docs/formats/patch.md, part 2.
//
// The reader takes every dialect of the patch files in circulation and is strict about what a flip
// says. The writer has one form, "bankai_row_xor_v1", which other loaders accept; what they do not
// know stands under "metadata"."bankai". A patch with single-bit flips has flips with a "col" and
// the format "bankai_bit_xor_v1", one with steps also has a "step" in them and the format
// "bankai_trit_step_v1", so that a loader that cannot apply them refuses the file instead of
// applying half of it.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "patch/patch.h"

namespace bankai::patch {

// `default_name` is taken where the file has no name. Errors (kBadInput, kUnsupported for an
// unknown format or version) name the place ("flips[3]: …"), not the file.
Result<Patch> parse_json(std::string_view text, std::string_view default_name);

// The canonical text: key order, spacing and number forms are fixed, so equal patches give equal
// bytes. Reading it gives `patch` again.
std::string format_json(const Patch& patch);

}  // namespace bankai::patch
