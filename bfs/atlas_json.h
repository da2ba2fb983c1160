// Atlases as JSON: docs/formats/atlas.md.
#pragma once

#include <string>
#include <string_view>

#include "bfs/atlas.h"
#include "core/result.h"

namespace bankai::bfs {

// Kinds of flips in the file, by patch::FlipKind.
inline constexpr const char* kAtlasKindNames[] = {"row", "group", "bit", "step_up", "step_down"};

// The file: equal atlases give equal bytes. Reading it gives `atlas` again.
std::string format_atlas(const Atlas& atlas);
// The same object on one line, without the values of single rows.
std::string format_atlas_summary(const Atlas& atlas);

// Memory: a few times the text. Errors: kBadInput with the place ("tensors[3]: …"), not the file;
// kUnsupported for another version.
Result<Atlas> parse_atlas(std::string_view text);

}  // namespace bankai::bfs
