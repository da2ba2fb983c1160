#include "cli/model_kind.h"

#include <filesystem>
#include <span>

#include "core/mapped_file.h"
#include "model/binary_residual_model.h"
#include "model/bit1_file.h"
#include "packer/golf_checkpoint.h"
#include "packer/pack_file.h"
#include "packer/pack_model.h"

namespace bankai::cli {
namespace {

bool is_binary_residual(const Result<std::string>& architecture) {
  return architecture.ok() && *architecture == model::kBinaryResidualArchitecture;
}

bool is_binary_residual(std::span<const std::byte> bytes, const std::string& path) {
  const Result<model::GgufFile> file = model::GgufFile::parse(bytes, path);
  return file.ok() && is_binary_residual(file->get_string("general.architecture", std::string()));
}

Result<ModelKind> kind_in_pack(std::span<const std::byte> bytes, const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const packer::PackFile pack, packer::PackFile::parse(bytes, path));
  if (pack.index().outline.is_plain()) return ModelKind::kBit1;
  return is_binary_residual(packer::packed_architecture(pack)) ? ModelKind::kBinaryResidual
                                                               : ModelKind::kGguf;
}

}  // namespace

Result<ModelKind> detect_model_kind(const std::string& path) {
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored))
    return make_error(ErrorCode::kIo,
                      "%s: a folder; bankai-pack convert or pack make a model file of a checkpoint",
                      path.c_str());
  BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  if (packer::is_pack(file.bytes())) return kind_in_pack(file.bytes(), path);
  if (model::is_bit1(file.bytes())) return ModelKind::kBit1;
  if (packer::looks_like_golf(file.bytes())) return ModelKind::kGolf;
  return is_binary_residual(file.bytes(), path) ? ModelKind::kBinaryResidual : ModelKind::kGguf;
}

const char* kind_text(ModelKind kind) {
  return kind == ModelKind::kBit1
             ? "a strictly binary model (BIT1), of which bankai-pack pack makes a pack"
             : "a compressed file or archive, as parameter-golf checkpoints are (bankai-infer and "
               "bankai-bench run those, bankai-pack compare encodes them with our codecs)";
}

}  // namespace bankai::cli
