#include "cli/model_opening.h"

#include <filesystem>

#include "cli/model_kind.h"
#include "core/format.h"
#include "packer/pack_file.h"
#include "packer/pack_model.h"
#include "patch/patch_binary.h"

namespace bankai::cli {

Result<model::GgufFile> open_model_file(const std::string& path, int threads) {
  BANKAI_ASSIGN_OR_RETURN(const ModelKind kind, detect_model_kind(path));
  if (kind != ModelKind::kPack) return model::GgufFile::open(path);
  BANKAI_ASSIGN_OR_RETURN(const packer::PackFile pack, packer::PackFile::open(path));
  return packer::unpack_to_memory(pack, threads);
}

Result<std::optional<patch::Patch>> find_packed_patch(const std::string& path,
                                                      const std::string& name) {
  using Found = std::optional<patch::Patch>;
  if (std::error_code ignored; !std::filesystem::exists(path, ignored))
    return Found();  // a model out of memory
  BANKAI_ASSIGN_OR_RETURN(const ModelKind kind, detect_model_kind(path));
  if (kind != ModelKind::kPack) return Found();
  BANKAI_ASSIGN_OR_RETURN(const packer::PackFile pack, packer::PackFile::open(path));
  BANKAI_ASSIGN_OR_RETURN(const auto bytes, pack.find_patch(name));
  if (!bytes) return Found();
  auto patch = patch::decode_binary(*bytes);
  if (patch.ok()) return Found(std::move(patch).value());
  return with_context(std::move(patch).error(), path + ": patch " + bankai::quoted(name));
}

}  // namespace bankai::cli
