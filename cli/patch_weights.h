// The 1-bit and ternary matrices of a model file as patches address them: a GGUF file, or the BIT1
// file of a strictly binary model.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/atomic_file.h"
#include "core/result.h"
#include "model/binary_matrices.h"
#include "model/gguf_copy.h"
#include "model/gguf_file.h"
#include "patch/apply.h"
#include "patch/fingerprint.h"

namespace bankai::cli {

class PatchWeights {
 public:
  // Which of the two a file is, its first bytes say; a pack of a GGUF file is decoded into memory.
  // Errors: those of open_model_file and Bit1File::open; kUnsupported for a pack of a BIT1 file.
  static Result<PatchWeights> open(const std::string& path);

  const std::string& path() const;
  std::span<const std::byte> bytes() const;
  // The model's name in the file, or "" (always for BIT1).
  Result<std::string> label() const;
  // Valid as long as this object.
  patch::MatrixLookup lookup() const;

  // nullptr for a file of the other kind.
  const model::GgufFile* gguf() const { return std::get_if<model::GgufFile>(&file_); }
  const model::Bit1File* bit1() const { return std::get_if<model::Bit1File>(&file_); }

 private:
  using File = std::variant<model::GgufFile, model::Bit1File>;
  explicit PatchWeights(File file) : file_(std::move(file)) {}

  File file_;
};

// The matrices of a file, which must outlive the result.
patch::MatrixLookup patchable_matrices(const model::GgufFile& file);

// The weights of a tensor that patches can change; nullopt for other types.
std::optional<patch::WeightView> patchable_weights(const model::GgufTensor& tensor);

// Writes a copy of the file in which only the bytes of `edits` differ, and the metadata if asked.
// Errors: those of copy_gguf and AtomicFile. REQUIRES: no metadata for BIT1, which has none.
Status write_edited_copy(const PatchWeights& weights, std::span<const patch::FileEdit> edits,
                         std::span<const model::GgufEdit> metadata, const std::string& path,
                         Overwrite overwrite);

// The same as a pack, without patches in it. Errors: those of write_pack; kUnsupported for BIT1.
Status write_edited_pack(const PatchWeights& weights, std::span<const patch::FileEdit> edits,
                         const std::string& path, Overwrite overwrite);

// The flips that turn `base` into `modified`. Errors (kMismatch): files of two kinds or shapes, or
// a difference that is not in a matrix that patches can change.
Result<std::vector<patch::Flip>> diff_weights(const PatchWeights& base,
                                              const PatchWeights& modified);

// The keys bankai.patch.names, .base_hashes and .flips that tell of applied patches; for reverting,
// the removal of all such keys.
std::vector<model::GgufEdit> patch_metadata(const model::GgufFile& file,
                                            std::span<const patch::Patch> patches,
                                            patch::Direction direction);

}  // namespace bankai::cli
