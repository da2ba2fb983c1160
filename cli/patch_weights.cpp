#include "cli/patch_weights.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "cli/model_kind.h"
#include "cli/model_opening.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "core/sha256.h"
#include "model/parallel.h"
#include "model/tensor_names.h"
#include "model/trit_tensor.h"
#include "packer/pack_file.h"
#include "packer/pack_writer.h"

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
  BANKAI_RETURN_IF_ERROR(check_no_pending_edit(path));
  BANKAI_ASSIGN_OR_RETURN(const ModelKind kind, detect_model_kind(path));
  if (kind == ModelKind::kBit1) {
    BANKAI_ASSIGN_OR_RETURN(const MappedFile mapped, MappedFile::open(path));
    if (packer::is_pack(mapped.bytes()))
      return make_error(ErrorCode::kUnsupported,
                        "%s: a pack of a BIT1 file; bankai-pack unpack gives the file to patch",
                        path.c_str());
    BANKAI_ASSIGN_OR_RETURN(model::Bit1File file, model::Bit1File::open(path));
    return PatchWeights(std::move(file));
  }
  BANKAI_ASSIGN_OR_RETURN(model::GgufFile file, open_model_file(path, model::available_threads()));
  return PatchWeights(std::move(file));
}

const std::string& PatchWeights::path() const {
  return std::visit([](const auto& file) -> const std::string& { return file.path(); }, file_);
}

std::span<const std::byte> PatchWeights::bytes() const {
  return std::visit([](const auto& file) { return file.bytes(); }, file_);
}

Result<std::string> PatchWeights::label() const {
  return gguf() == nullptr ? std::string() : gguf()->get_string("general.name", "");
}

patch::MatrixLookup PatchWeights::lookup() const {
  if (bit1() == nullptr) return patchable_matrices(*gguf());
  return [this](TensorAddress address) -> std::optional<patch::WeightView> {
    return bit1()->bit_view(address);
  };
}

patch::MatrixLookup patchable_matrices(const model::GgufFile& file) {
  return [&file](TensorAddress address) -> std::optional<patch::WeightView> {
    const model::GgufTensor* tensor = file.find_tensor(model::gguf_tensor_name(address));
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

Status write_edited_copy(const PatchWeights& weights, std::span<const patch::FileEdit> edits,
                         std::span<const model::GgufEdit> metadata, const std::string& path,
                         Overwrite overwrite) {
  if (weights.bit1() != nullptr) {
    std::vector<std::byte> whole(weights.bytes().begin(), weights.bytes().end());
    for (const patch::FileEdit& edit : edits) patch::apply_edit(edit, whole.data() + edit.offset);
    BANKAI_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, overwrite));
    BANKAI_RETURN_IF_ERROR(file.write(std::span<const std::byte>(whole)));
    return file.commit();
  }
  std::vector<std::byte> bytes;
  const auto replacement =
      [&](const model::GgufTensor& tensor) -> Result<std::span<const std::byte>> {
    bytes = edited_bytes(tensor, edits);
    return std::span<const std::byte>(bytes);
  };
  return model::copy_gguf(*weights.gguf(), metadata, replacement, path, overwrite);
}

Status write_edited_pack(const PatchWeights& weights, std::span<const patch::FileEdit> edits,
                         const std::string& path, Overwrite overwrite) {
  if (weights.gguf() == nullptr)
    return make_error(ErrorCode::kUnsupported,
                      "%s: BIT1; expected an output that is no pack (bankai-pack pack makes one)",
                      weights.path().c_str());
  const model::GgufFile& file = *weights.gguf();
  BANKAI_ASSIGN_OR_RETURN(packer::PackSource source, packer::pack_source(file));
  std::vector<std::byte> bytes;
  source.data = [&](std::size_t index) -> Result<std::span<const std::byte>> {
    bytes = edited_bytes(file.tensors()[index], edits);
    return bytes.empty() ? file.tensors()[index].data : std::span<const std::byte>(bytes);
  };
  packer::PackOptions options;
  options.threads = model::available_threads();
  const auto written = packer::write_pack(source, options, path, overwrite);
  return written.ok() ? Status() : Status(written.error());
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
