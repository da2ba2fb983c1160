// bankai-patch diff, compose and convert: commands that write a patch.
#include <filesystem>
#include <iostream>

#include "cli/model_opening.h"
#include "cli/patch_commands.h"
#include "cli/patch_weights.h"
#include "cli/report_text.h"
#include "core/format.h"
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
    std::cout << output << ": " << counted(patch.flips.size(), "flip") << ", "
              << counted(std::filesystem::file_size(output), "byte") << '\n';
  return {};
}

std::string stem_of(const std::string& path) {
  const std::string stem = path == "-" ? "patch" : std::filesystem::path(path).stem().string();
  return std::string(patch::label_prefix(stem, stem.size()));
}

}  // namespace

Status patch_diff(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const std::string output, required_output(line));
  BANKAI_ASSIGN_OR_RETURN(const PatchWeights base, PatchWeights::open(files[0]));
  BANKAI_ASSIGN_OR_RETURN(const PatchWeights modified, PatchWeights::open(files[1]));
  BANKAI_ASSIGN_OR_RETURN(std::vector<patch::Flip> flips, diff_weights(base, modified));
  patch::Patch patch;
  patch.name = stem_of(output);
  BANKAI_ASSIGN_OR_RETURN(const std::string label, base.label());
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
  const std::string model = line.has("model") ? line.get<std::string>("model") : "";
  BANKAI_ASSIGN_OR_RETURN(patch::Patch patch, open_patch(files[0], model));
  if (!model.empty()) {
    BANKAI_ASSIGN_OR_RETURN(const PatchWeights weights, PatchWeights::open(model));
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
