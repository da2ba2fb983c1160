#include "cli/pack_input.h"

#include <filesystem>
#include <utility>

#include "cli/model_kind.h"
#include "cli/model_opening.h"
#include "cli/pack_commands.h"
#include "cli/patch_check.h"
#include "cli/patch_weights.h"
#include "core/format.h"
#include "model/binary_matrices.h"
#include "model/bit1_file.h"
#include "packer/bit1_source.h"
#include "packer/pack_model.h"
#include "patch/algebra.h"
#include "patch/patch_binary.h"
#include "patch/patch_file.h"

namespace bankai::cli {
namespace {

// What pack and plan take for a model file. Their other options say how a folder is converted.
constexpr const char* kFileOptions =
    "command file output patch min-decode-rate i2s-layout budget-bytes curve calibration heldout "
    "calibration-tokens ctx activations max-measurements drop-unused-rows verbose";

Status read_folder(const CommandLine& line, const std::string& path, PackInput& input) {
  if (!packer::is_checkpoint_folder(path))
    return make_error(ErrorCode::kBadInput, "%s: a folder without config.json", path.c_str());
  BANKAI_ASSIGN_OR_RETURN(const packer::ImportOptions options, read_import_options(line));
  BANKAI_ASSIGN_OR_RETURN(input.import, packer::import_source(path, options));
  input.source = input.import->source;
  return {};
}

Status read_bit1(const std::string& path, const packer::PackFile* pack, int threads,
                 PackInput& input) {
  if (pack != nullptr) {
    BANKAI_ASSIGN_OR_RETURN(input.image, packer::unpack_image(*pack, threads));
    input.bytes = input.image.bytes().first(static_cast<std::size_t>(pack->index().file_bytes));
  } else {
    input.bytes = input.mapping->bytes();
  }
  BANKAI_ASSIGN_OR_RETURN(input.source, packer::bit1_source(input.bytes, path));
  return {};
}

Status read_file(const std::string& path, int threads, PackInput& input) {
  BANKAI_ASSIGN_OR_RETURN(const ModelKind kind, detect_model_kind(path));
  BANKAI_ASSIGN_OR_RETURN(input.mapping, MappedFile::open(path));
  std::optional<packer::PackFile> pack;
  if (packer::is_pack(input.mapping->bytes())) {
    BANKAI_ASSIGN_OR_RETURN(pack, packer::PackFile::parse(input.mapping->bytes(), path));
    for (std::size_t i = 0; i < pack->index().patches.size(); ++i) {
      BANKAI_ASSIGN_OR_RETURN(const auto bytes, pack->patch(i));
      input.patches.push_back({pack->index().patches[i].name, {bytes.begin(), bytes.end()}});
    }
  }
  if (kind == ModelKind::kBit1) return read_bit1(path, pack ? &*pack : nullptr, threads, input);
  BANKAI_ASSIGN_OR_RETURN(input.gguf, open_model_file(path, threads));
  BANKAI_ASSIGN_OR_RETURN(input.source, packer::pack_source(*input.gguf));
  input.bytes = input.gguf->bytes();
  return {};
}

// "NAME=FILE".
Result<std::pair<std::string, patch::Patch>> read_named_patch(const std::string& text) {
  const std::size_t split = text.find('=');
  if (split == std::string::npos || split == 0 || split + 1 == text.size())
    return make_error(ErrorCode::kUsage, "--patch %s: expected NAME=FILE",
                      bankai::quoted(text).c_str());
  BANKAI_ASSIGN_OR_RETURN(patch::Patch patch, patch::read_patch(text.substr(split + 1)));
  return std::pair{text.substr(0, split), std::move(patch)};
}

// What patches can change: of a BIT1 file the matrices of `binary`. Both must outlive the result.
patch::MatrixLookup matrices_of(const PackInput& input,
                                const std::optional<model::BinaryModel>& binary) {
  if (input.gguf) return patchable_matrices(*input.gguf);
  return [&binary](TensorAddress address) -> std::optional<patch::WeightView> {
    return model::bit_view(model::find_binary_matrix(*binary, address));
  };
}

}  // namespace

Result<std::unique_ptr<PackInput>> open_pack_input(const CommandLine& line,
                                                   const std::string& path) {
  auto input = std::make_unique<PackInput>();
  input->path = path;
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) {
    BANKAI_RETURN_IF_ERROR(read_folder(line, path, *input));
    return input;
  }
  BANKAI_RETURN_IF_ERROR(line.accept_only(path + ", which is no checkpoint folder", kFileOptions));
  BANKAI_ASSIGN_OR_RETURN(const int threads, pack_threads(line));
  BANKAI_RETURN_IF_ERROR(read_file(path, threads, *input));
  return input;
}

Result<std::vector<packer::NewPatch>> read_new_patches(const CommandLine& line,
                                                       const PackInput& input, Progress& progress) {
  std::vector<packer::NewPatch> patches;
  if (line.get<std::vector<std::string>>("patch").empty()) return patches;
  std::optional<model::BinaryModel> binary;
  if (!input.gguf && !input.bytes.empty()) {
    BANKAI_ASSIGN_OR_RETURN(binary, model::parse_bit1(input.bytes, input.path));
  }
  const patch::MatrixLookup weights = matrices_of(input, binary);
  patch::FlipSet before;
  for (const std::string& text : line.get<std::vector<std::string>>("patch")) {
    BANKAI_ASSIGN_OR_RETURN(const auto named, read_named_patch(text));
    const patch::Patch& patch = named.second;
    if (input.bytes.empty())
      return make_error(ErrorCode::kUsage,
                        "--patch %s: expected a model file, or a pack, to put it to; "
                        "bankai-pack convert makes one of a folder",
                        bankai::quoted(text).c_str());
    Status status = patch::check_flips(patch.flips, weights);
    if (status.ok() && !line.force())
      status = check_patch_base(patch, before, weights, [&](const std::string& remark) {
        progress.remark(line.program() + ": " + remark);
      });
    if (!status.ok())
      return with_context(std::move(status).error(),
                          input.path + ": --patch " + bankai::quoted(text));
    std::vector<patch::Flip> both = before.flips();
    patch::append_after(both, patch.flips);
    BANKAI_ASSIGN_OR_RETURN(before, patch::FlipSet::make(std::move(both)));
    patches.push_back({named.first, patch::encode_binary(patch)});
  }
  return patches;
}

}  // namespace bankai::cli
