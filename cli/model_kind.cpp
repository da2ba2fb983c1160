#include "cli/model_kind.h"

#include <span>

#include "core/mapped_file.h"
#include "model/binary_residual_model.h"
#include "model/bit1_file.h"
#include "packer/golf_checkpoint.h"
#include "packer/pack_file.h"

namespace bankai::cli {
namespace {

bool is_binary_residual(std::span<const std::byte> bytes, const std::string& path) {
  const Result<model::GgufFile> file = model::GgufFile::parse(bytes, path);
  if (!file.ok()) return false;
  const Result<std::string> architecture = file->get_string("general.architecture", std::string());
  return architecture.ok() && *architecture == model::kBinaryResidualArchitecture;
}

}  // namespace

Result<ModelKind> detect_model_kind(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  if (packer::is_pack(file.bytes())) return ModelKind::kPack;
  if (model::is_bit1(file.bytes())) return ModelKind::kBit1;
  if (packer::looks_like_golf(file.bytes())) return ModelKind::kGolf;
  return is_binary_residual(file.bytes(), path) ? ModelKind::kBinaryResidual : ModelKind::kGguf;
}

}  // namespace bankai::cli
