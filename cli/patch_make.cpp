// bankai-patch diff, compose and convert: commands that write a patch.
#include <cstring>
#include <filesystem>
#include <iostream>

#include "cli/patch_commands.h"
#include "cli/patch_weights.h"
#include "core/format.h"
#include "model/tensor_names.h"
#include "patch/algebra.h"
#include "patch/fingerprint.h"
#include "patch/patch_binary.h"
#include "patch/patch_file.h"
#include "patch/text_rules.h"

namespace bankai::cli {
namespace {

Status write_result(const CommandLine& line, const patch::Patch& patch, const std::string& output) {
  const bool binary = std::filesystem::path(output).extension() == ".bkp";
  if (binary && patch::binary_name(patch.name) != patch.name)
    remark(line, "the name is cut to '" + std::string(patch::binary_name(patch.name)) + "'");
  BANKAI_RETURN_IF_ERROR(patch::write_patch(patch, output, overwrite_mode(line)));
  if (output == "-") return {};
  if (line.json())
    print_info_json(patch, output);
  else
    std::cout << format("%s: %zu flips, %ju bytes\n", output.c_str(), patch.flips.size(),
                        std::filesystem::file_size(output));
  return {};
}

std::string stem_of(const std::string& path) {
  const std::string stem = path == "-" ? "patch" : std::filesystem::path(path).stem().string();
  return std::string(patch::label_prefix(stem, stem.size()));
}

// The same tensor in the other model. Errors (kMismatch): absent, or of another type or shape.
Result<const model::GgufTensor*> counterpart(const model::GgufTensor& tensor,
                                             const model::GgufFile& other) {
  const model::GgufTensor* found = other.find_tensor(tensor.name);
  if (found == nullptr)
    return make_error(ErrorCode::kMismatch, "%s: has no tensor '%s'", other.path().c_str(),
                      std::string(tensor.name).c_str());
  if (found->type != tensor.type || found->dims != tensor.dims)
    return make_error(ErrorCode::kMismatch, "%s: tensor '%s' has another type or shape",
                      other.path().c_str(), std::string(tensor.name).c_str());
  return found;
}

Result<std::vector<patch::Flip>> diff_files(const model::GgufFile& base,
                                            const model::GgufFile& modified) {
  if (base.tensors().size() != modified.tensors().size())
    return make_error(ErrorCode::kMismatch, "%s: has %zu tensors, the base has %zu",
                      modified.path().c_str(), modified.tensors().size(), base.tensors().size());
  std::vector<patch::Flip> flips;
  for (const model::GgufTensor& tensor : base.tensors()) {
    BANKAI_ASSIGN_OR_RETURN(const model::GgufTensor* other, counterpart(tensor, modified));
    if (std::memcmp(tensor.data.data(), other->data.data(), tensor.data.size()) == 0) continue;
    const auto address = model::parse_gguf_tensor_name(tensor.name);
    const auto before = patchable_weights(tensor);
    const auto after = patchable_weights(*other);
    if (!address || !before || !after)
      return make_error(ErrorCode::kMismatch,
                        "%s: tensor '%s' differs, and is no 1-bit or ternary matrix that a patch "
                        "can change",
                        modified.path().c_str(), std::string(tensor.name).c_str());
    const Status status = patch::diff_matrix(*address, *before, *after, flips);
    if (!status.ok()) return with_context(status.error(), modified.path());
  }
  return flips;
}

}  // namespace

Status patch_diff(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const std::string output, required_output(line));
  BANKAI_ASSIGN_OR_RETURN(const PatchWeights base, PatchWeights::open(files[0]));
  BANKAI_ASSIGN_OR_RETURN(const PatchWeights modified, PatchWeights::open(files[1]));
  BANKAI_ASSIGN_OR_RETURN(std::vector<patch::Flip> flips, diff_files(base.file(), modified.file()));
  patch::Patch patch;
  patch.name = stem_of(output);
  BANKAI_ASSIGN_OR_RETURN(const std::string label, base.file().get_string("general.name", ""));
  patch.base_model = patch::label_prefix(label, label.size());
  BANKAI_ASSIGN_OR_RETURN(patch.flips, patch::FlipSet::make(std::move(flips)));
  BANKAI_RETURN_IF_ERROR(patch::bind_to_base(patch, base.lookup()));
  return write_result(line, patch, output);
}

Status patch_compose(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const std::string output, required_output(line));
  BANKAI_ASSIGN_OR_RETURN(std::vector<patch::Patch> patches, read_patches(files));
  Result<patch::Patch> sum = patch::compose(patches);
  if (!sum.ok() && line.force()) {
    for (patch::Patch& patch : patches) {
      patch.base.contents.clear();
      patch.base.hash.reset();
    }
    sum = patch::compose(patches);
  }
  if (!sum.ok()) return sum.error();
  if (!sum->flips.empty() && !sum->base.hash)
    remark(line, "the result is not bound to a base (convert -m MODEL binds it)");
  return write_result(line, *sum, output);
}

Status patch_convert(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const std::string output, required_output(line));
  BANKAI_ASSIGN_OR_RETURN(patch::Patch patch, patch::read_patch(files[0]));
  if (line.has("model")) {
    BANKAI_ASSIGN_OR_RETURN(const PatchWeights weights,
                            PatchWeights::open(line.get<std::string>("model")));
    if (!line.force()) {
      BANKAI_ASSIGN_OR_RETURN(const patch::BaseCheck check,
                              patch::check_base(patch, weights.lookup()));
      BANKAI_RETURN_IF_ERROR(patch::require_state(patch, check, patch::Direction::kApply));
    }
    BANKAI_RETURN_IF_ERROR(patch::bind_to_base(patch, weights.lookup()));
  }
  return write_result(line, patch, output);
}

}  // namespace bankai::cli
