// A changed copy of a GGUF file: other metadata, other bytes of some tensors, all else as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <variant>

#include "core/atomic_file.h"
#include "core/result.h"
#include "model/gguf_file.h"

namespace bankai::model {

// Sets a key (in its place if it is there, else after all others), or removes it.
struct GgufEdit {
  std::string key;
  std::variant<std::monostate, std::uint32_t, std::string> value;  // monostate: remove
};

// The new bytes of a tensor, as many as it has, valid until the next call; empty: unchanged.
using GgufReplacement = std::function<Result<std::span<const std::byte>>(const GgufTensor&)>;

// Writes `source` to `path` with `edits` to the metadata and the tensors that `replacement` (may be
// null) gives. Every other byte of the tensor data is copied, padding included; without edits the
// bytes before it too. Edits keep version, alignment and order, so that undoing them gives the
// first file again (but for padding after the header that was not zero).
// `path` may be the source's own. Errors: those of GgufBuilder::header, AtomicFile, `replacement`.
// REQUIRES: no edit of general.alignment.
Status copy_gguf(const GgufFile& source, std::span<const GgufEdit> edits,
                 const GgufReplacement& replacement, const std::string& path, Overwrite overwrite);

}  // namespace bankai::model
