// The 1-bit matrices of a GGUF file as patches address them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/result.h"
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

// Writes a copy of `file` in which only the bytes of `edits` differ. Errors: those of AtomicFile.
Status write_edited_copy(std::span<const std::byte> file, std::span<const patch::FileEdit> edits,
                         const std::string& path, Overwrite overwrite);

}  // namespace bankai::cli
