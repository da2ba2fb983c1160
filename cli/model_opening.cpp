#include "cli/model_opening.h"

#include <filesystem>
#include <optional>

#include "cli/model_kind.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "model/bit1_file.h"
#include "packer/pack_file.h"
#include "packer/pack_model.h"
#include "patch/in_place_edit.h"
#include "patch/patch_binary.h"
#include "patch/patch_file.h"

namespace bankai::cli {
namespace {

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// nullopt for files of other kinds, and where there is none: a model out of memory.
Result<std::optional<packer::PackFile>> open_if_pack(const std::string& path) {
  using Found = std::optional<packer::PackFile>;
  if (!exists(path)) return Found();
  BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  if (!packer::is_pack(file.bytes())) return Found();
  BANKAI_ASSIGN_OR_RETURN(packer::PackFile pack, packer::PackFile::open(path));
  return Found(std::move(pack));
}

std::string names_of(const std::vector<packer::PackPatch>& patches) {
  std::string names;
  for (const packer::PackPatch& patch : patches)
    names += (names.empty() ? "" : ", ") + bankai::quoted(patch.name);
  return names.empty() ? "none" : names;
}

Status check_kind(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const ModelKind kind, detect_model_kind(path));
  if (kind == ModelKind::kBit1)
    return make_error(ErrorCode::kUnsupported,
                      "%s: a strictly binary model (BIT1); expected a GGUF file, or a pack of one",
                      path.c_str());
  if (kind == ModelKind::kGolf)
    return make_error(ErrorCode::kUnsupported, "%s: %s; expected a GGUF file, or a pack of one",
                      path.c_str(), kind_text(kind));
  return {};
}

}  // namespace

Status check_no_pending_edit(const std::string& path) {
  if (!patch::edit_pending(path)) return {};
  return make_error(ErrorCode::kBadInput,
                    "%s: an interrupted in-place edit has left it half changed; the next "
                    "bankai-patch apply or revert --in-place undoes that",
                    path.c_str());
}

Result<model::GgufFile> open_model_file(const std::string& path, int threads) {
  BANKAI_RETURN_IF_ERROR(check_no_pending_edit(path));
  BANKAI_RETURN_IF_ERROR(check_kind(path));
  return packer::open_gguf_or_pack(path, threads);
}

Result<model::BinaryModel> open_binary_model(const std::string& path, int threads) {
  BANKAI_ASSIGN_OR_RETURN(const std::optional<packer::PackFile> pack, open_if_pack(path));
  if (!pack) return model::read_bit1(path);
  BANKAI_ASSIGN_OR_RETURN(const PageMemory image, packer::unpack_image(*pack, threads));
  return model::parse_bit1(image.bytes().first(static_cast<std::size_t>(pack->index().file_bytes)),
                           path);
}

Result<patch::Patch> open_patch(const std::string& name, const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const std::optional<packer::PackFile> pack, open_if_pack(path));
  if (!pack) return patch::read_patch(name);
  BANKAI_ASSIGN_OR_RETURN(const auto bytes, pack->find_patch(name));
  if (!bytes && name != "-" && !exists(name))
    return make_error(ErrorCode::kUsage,
                      "%s: has no patch %s (it has: %s), and there is no such file", path.c_str(),
                      bankai::quoted(name).c_str(), names_of(pack->index().patches).c_str());
  if (!bytes) return patch::read_patch(name);
  auto patch = patch::decode_binary(*bytes);
  if (patch.ok()) return patch;
  return with_context(std::move(patch).error(), path + ": patch " + bankai::quoted(name));
}

}  // namespace bankai::cli
