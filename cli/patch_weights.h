// The 1-bit and ternary matrices of a GGUF file as patches address them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/result.h"
#include "model/gguf_copy.h"
#include "model/gguf_file.h"
#include "patch/apply.h"
#include "patch/fingerprint.h"

namespace bankai::cli {

class PatchWeights {
 public:
  // Errors: those of GgufFile::open; kBadInput if an interrupted in-place edit waits to be undone.
  static Result<PatchWeights> open(const std::string& path);

  const model::GgufFile& file() const { return file_; }
  // Valid as long as this object.
  patch::MatrixLookup lookup() const;

 private:
  explicit PatchWeights(model::GgufFile file) : file_(std::move(file)) {}

  model::GgufFile file_;
};

// The weights of a tensor that patches can change; nullopt for other types.
std::optional<patch::WeightView> patchable_weights(const model::GgufTensor& tensor);

// Writes a copy of `file` in which only the bytes of `edits` differ, and the metadata if asked.
// Errors: those of copy_gguf.
Status write_edited_copy(const model::GgufFile& file, std::span<const patch::FileEdit> edits,
                         std::span<const model::GgufEdit> metadata, const std::string& path,
                         Overwrite overwrite);

// The keys bankai.patch.names, .base_hashes and .flips that tell of applied patches; for reverting,
// the removal of all such keys.
std::vector<model::GgufEdit> patch_metadata(const model::GgufFile& file,
                                            std::span<const patch::Patch> patches,
                                            patch::Direction direction);

}  // namespace bankai::cli
