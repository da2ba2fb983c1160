// Model files of any kind, as they are or out of packs, and the patches in packs: the one place
// where programs open them.
#pragma once

#include <string>

#include "core/result.h"
#include "model/binary_model.h"
#include "model/gguf_file.h"
#include "patch/patch.h"

namespace bankai::cli {

// kBadInput if an interrupted in-place edit has left the file half changed.
Status check_no_pending_edit(const std::string& path);

// A GGUF file is mapped; the one in a pack is decoded into memory. Errors: those of GgufFile and
// PackFile; kUnsupported for models of other kinds; those of check_no_pending_edit.
Result<model::GgufFile> open_model_file(const std::string& path, int threads);

// A strictly binary model: a BIT1 file, or the one in a pack. Errors: those of parse_bit1 and
// PackFile.
Result<model::BinaryModel> open_binary_model(const std::string& path, int threads);

// A patch for the model at `path`: the one of this name in its pack, else the one in the file of
// this name. Errors: those of PackFile and read_patch; where neither is there, kUsage with the
// names that the pack has.
Result<patch::Patch> open_patch(const std::string& name, const std::string& path);

}  // namespace bankai::cli
