#include "cli/patch_weights.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "core/format.h"
#include "model/tensor_names.h"
#include "patch/in_place_edit.h"

namespace bankai::cli {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20U;

// Applies to `chunk`, which starts at `offset` of the file, the part of `edit` that lies in it.
void apply_edit(const patch::FileEdit& edit, std::uint64_t offset, std::span<std::byte> chunk) {
  std::byte mask[sizeof edit.mask];
  std::memcpy(mask, edit.mask.data(), sizeof mask);
  for (std::size_t i = 0; i < sizeof mask; ++i) {
    const std::uint64_t place = edit.offset + i;
    if (place >= offset && place - offset < chunk.size())
      chunk[static_cast<std::size_t>(place - offset)] ^= mask[i];
  }
}

}  // namespace

Result<PatchWeights> PatchWeights::open(const std::string& path) {
  if (patch::edit_pending(path))
    return make_error(ErrorCode::kBadInput,
                      "%s: an interrupted in-place edit has left it half changed; the next "
                      "bankai-patch apply or revert --in-place undoes that",
                      path.c_str());
  BANKAI_ASSIGN_OR_RETURN(model::GgufFile file, model::GgufFile::open(path));
  return PatchWeights(std::move(file));
}

patch::MatrixLookup PatchWeights::lookup() const {
  return [this](TensorAddress address) -> std::optional<BitMatrixView> {
    const model::GgufTensor* tensor = file_.find_tensor(model::gguf_tensor_name(address));
    if (tensor == nullptr || tensor->type != kernels::TensorType::kQ1_0) return std::nullopt;
    return BitMatrixView::from_q1_0(tensor->data.data(), tensor->rows(), tensor->cols());
  };
}

Status write_edited_copy(std::span<const std::byte> file, std::span<const patch::FileEdit> edits,
                         const std::string& path, Overwrite overwrite) {
  BANKAI_ASSIGN_OR_RETURN(AtomicFile out, AtomicFile::create(path, overwrite));
  std::vector<std::byte> buffer;
  std::size_t first = 0;  // the first edit that reaches into this chunk or a later one
  for (std::size_t offset = 0; offset < file.size(); offset += kChunkBytes) {
    const auto chunk = file.subspan(offset, std::min(kChunkBytes, file.size() - offset));
    buffer.assign(chunk.begin(), chunk.end());
    const std::uint64_t end = offset + chunk.size();
    for (std::size_t i = first; i < edits.size() && edits[i].offset < end; ++i) {
      apply_edit(edits[i], offset, buffer);
      if (edits[i].offset + sizeof edits[i].mask <= end) first = i + 1;
    }
    BANKAI_RETURN_IF_ERROR(out.write(buffer));
  }
  return out.commit();
}

}  // namespace bankai::cli
