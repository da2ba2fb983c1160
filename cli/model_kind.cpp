#include "cli/model_kind.h"

#include "core/mapped_file.h"
#include "packer/pack_file.h"

namespace bankai::cli {

Result<ModelKind> detect_model_kind(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  return packer::is_pack(file.bytes()) ? ModelKind::kPack : ModelKind::kGguf;
}

}  // namespace bankai::cli
