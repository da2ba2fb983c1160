// Model files of any kind as the GGUF files that they are or hold, and the patches in packs.
#pragma once

#include <optional>
#include <string>

#include "core/result.h"
#include "model/gguf_file.h"
#include "patch/patch.h"

namespace bankai::cli {

// A GGUF file is mapped; a pack is decoded into memory. Errors: those of GgufFile and PackFile.
Result<model::GgufFile> open_model_file(const std::string& path, int threads);

// The patch of this name in the pack at `path`; nullopt if there is none, or that is no pack or no
// file. Errors: those of PackFile; kBadInput for a patch that is damaged.
Result<std::optional<patch::Patch>> find_packed_patch(const std::string& path,
                                                      const std::string& name);

}  // namespace bankai::cli
