#include "cli/patch_weights.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/format.h"
#include "core/sha256.h"
#include "model/tensor_names.h"
#include "model/trit_tensor.h"
#include "patch/in_place_edit.h"

namespace bankai::cli {
namespace {

// The bytes of `tensor` with the edits that lie in it; empty if none does. Edits ascend in offset
// and each lies in one tensor.
std::vector<std::byte> edited_bytes(const model::GgufTensor& tensor,
                                    std::span<const patch::FileEdit> edits) {
  const auto first = std::lower_bound(
      edits.begin(), edits.end(), tensor.offset,
      [](const patch::FileEdit& edit, std::uint64_t offset) { return edit.offset < offset; });
  std::vector<std::byte> bytes;
  for (auto edit = first; edit != edits.end() && edit->offset - tensor.offset < tensor.data.size();
       ++edit) {
    if (bytes.empty()) bytes.assign(tensor.data.begin(), tensor.data.end());
    patch::apply_edit(*edit, bytes.data() + (edit->offset - tensor.offset));
  }
  return bytes;
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
  return [this](TensorAddress address) -> std::optional<patch::WeightView> {
    const model::GgufTensor* tensor = file_.find_tensor(model::gguf_tensor_name(address));
    return tensor == nullptr ? std::nullopt : patchable_weights(*tensor);
  };
}

std::optional<patch::WeightView> patchable_weights(const model::GgufTensor& tensor) {
  if (tensor.cols() % kGroupCols != 0) return std::nullopt;
  if (tensor.type == kernels::TensorType::kQ1_0)
    return BitMatrixView::from_q1_0(tensor.data.data(), tensor.rows(), tensor.cols());
  const std::optional<TritMatrixView> trits = model::trit_matrix(tensor);
  if (!trits) return std::nullopt;
  return *trits;
}

Status write_edited_copy(const model::GgufFile& file, std::span<const patch::FileEdit> edits,
                         std::span<const model::GgufEdit> metadata, const std::string& path,
                         Overwrite overwrite) {
  std::vector<std::byte> bytes;
  const auto replacement =
      [&](const model::GgufTensor& tensor) -> Result<std::span<const std::byte>> {
    bytes = edited_bytes(tensor, edits);
    return std::span<const std::byte>(bytes);
  };
  return model::copy_gguf(file, metadata, replacement, path, overwrite);
}

std::vector<model::GgufEdit> patch_metadata(const model::GgufFile& file,
                                            std::span<const patch::Patch> patches,
                                            patch::Direction direction) {
  constexpr std::string_view kPrefix = "bankai.patch.";
  std::vector<model::GgufEdit> edits;
  for (const model::GgufValue& value : file.metadata())
    if (value.key.starts_with(kPrefix)) edits.push_back({std::string(value.key), {}});
  if (direction == patch::Direction::kRevert) return edits;
  std::string names;
  std::string hashes;
  std::uint32_t flips = 0;
  for (const patch::Patch& patch : patches) {
    names += (names.empty() ? "" : ", ") + patch.name;
    if (patch.base.hash) hashes += (hashes.empty() ? "" : ", ") + to_hex(*patch.base.hash);
    flips += static_cast<std::uint32_t>(patch.flips.size());
  }
  const std::string prefix(kPrefix);
  for (model::GgufEdit& edit : std::vector<model::GgufEdit>{{prefix + "names", names},
                                                            {prefix + "base_hashes", hashes},
                                                            {prefix + "flips", flips}}) {
    std::erase_if(edits, [&](const model::GgufEdit& old) { return old.key == edit.key; });
    edits.push_back(std::move(edit));
  }
  return edits;
}

}  // namespace bankai::cli
