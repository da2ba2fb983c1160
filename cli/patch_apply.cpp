// bankai-patch apply and revert: patches on a model file, as a copy or in place.
#include <filesystem>
#include <iostream>
#include <optional>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/patch_commands.h"
#include "cli/patch_weights.h"
#include "cli/report_text.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "packer/pack_file.h"
#include "patch/algebra.h"
#include "patch/in_place_edit.h"

namespace bankai::cli {
namespace {

using patch::Direction;
using patch::FlipSet;

constexpr std::string_view kPackEnding = ".bkpack";  // of an output that is to be a pack

// What `patches` do one after the other. Shapes are left to the model that they are put on.
Result<FlipSet> combine(std::span<const patch::Patch> patches) {
  std::vector<patch::Flip> flips;
  for (const patch::Patch& patch : patches) patch::append_after(flips, patch.flips);
  return FlipSet::make(std::move(flips));
}

// What turns the file into the model without `patches`.
Result<FlipSet> removal(std::span<const patch::Patch> patches, Direction direction) {
  if (direction == Direction::kApply) return FlipSet();
  BANKAI_ASSIGN_OR_RETURN(const FlipSet all, combine(patches));
  return all.inverse();
}

// Each patch must have been made for the model without any of them, or on top of those before it.
// "The model without them" is the file itself when applying, the file with all flips taken back
// when reverting.
Status check_states(const CommandLine& line, const PatchWeights& weights,
                    std::span<const patch::Patch> patches, Direction direction) {
  for (std::size_t i = 0; i < patches.size(); ++i) {
    const patch::Patch& patch = patches[i];
    if (!patch.base.hash) {
      BANKAI_RETURN_IF_ERROR(patch::check_base(patch, weights.lookup()));
      remark(line, "patch '" + patch.name + "' names no base; only its shapes were checked");
      continue;
    }
    BANKAI_ASSIGN_OR_RETURN(const FlipSet without, removal(patches, direction));
    BANKAI_ASSIGN_OR_RETURN(const FlipSet before, combine(patches.first(i)));
    std::vector<patch::Flip> both(without.flips());
    patch::append_after(both, before);
    BANKAI_ASSIGN_OR_RETURN(const FlipSet stacked, FlipSet::make(std::move(both)));
    BANKAI_ASSIGN_OR_RETURN(const patch::BaseCheck alone,
                            patch::check_base(patch, weights.lookup(), without));
    if (alone.state == patch::BaseState::kBase) continue;
    BANKAI_ASSIGN_OR_RETURN(const patch::BaseCheck on_top,
                            patch::check_base(patch, weights.lookup(), stacked));
    if (on_top.state == patch::BaseState::kBase) continue;
    BANKAI_ASSIGN_OR_RETURN(const patch::BaseCheck as_it_is,
                            patch::check_base(patch, weights.lookup()));
    BANKAI_RETURN_IF_ERROR(patch::require_state(patch, as_it_is, direction));
    return make_error(
        ErrorCode::kMismatch,
        "patch '%s' was not made for this model with or without the patches before it",
        patch.name.c_str());
  }
  return {};
}

// The edits of the model file that put all patches on it or take them off.
Result<std::vector<patch::FileEdit>> make_edits(const CommandLine& line,
                                                const PatchWeights& weights,
                                                std::span<const patch::Patch> patches,
                                                Direction direction) {
  if (!line.force()) {
    const Status status = check_states(line, weights, patches, direction);
    if (!status.ok()) return with_context(status.error(), weights.path());
  }
  BANKAI_ASSIGN_OR_RETURN(FlipSet flips, direction == Direction::kApply
                                             ? combine(patches)
                                             : removal(patches, direction));
  Result<std::vector<patch::FileEdit>> edits =
      patch::collect_edits(flips, weights.lookup(), weights.bytes());
  if (!edits.ok()) return with_context(edits.error(), weights.path());
  return edits;
}

void report(const CommandLine& line, const std::string& output, std::size_t num_patches,
            std::span<const patch::FileEdit> edits, Direction direction) {
  std::uint64_t bits = 0;
  for (const patch::FileEdit& edit : edits)
    bits += static_cast<std::uint64_t>(patch::count_ones(edit.mask));
  const char* verb = direction == Direction::kApply ? "applied" : "reverted";
  if (line.json())
    print_json_line(nlohmann::ordered_json{
        {"output", output}, {"patches", num_patches}, {"bits_changed", bits}, {"done", verb}});
  else
    std::cout << output << ": " << counted(num_patches, "patch", "patches") << " " << verb << ", "
              << counted(bits, "bit") << " of the file changed\n";
}

// What is coded cannot be changed where it stands.
Status check_in_place(const std::string& model) {
  BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(model));
  if (!packer::is_pack(file.bytes())) return {};
  return make_error(ErrorCode::kUsage,
                    "%s: a pack is not changed in place; expected -o OUT.bkpack or -o OUT.gguf",
                    model.c_str());
}

// Nor is a patch replaced by a model, even where it is said that outputs may be.
Status check_output(const std::string& output, Files patches) {
  if (output == "-") return make_error(ErrorCode::kUsage, "-o -: a model is written to a file");
  for (const std::string& patch : patches)
    if (std::error_code ignored; std::filesystem::equivalent(output, patch, ignored))
      return make_error(ErrorCode::kUsage, "-o %s: that is a patch to read, which is not replaced",
                        output.c_str());
  return {};
}

Status put_on(const CommandLine& line, Files files, Direction direction) {
  const std::string& model = files[0];
  const bool in_place = line.get<bool>("in-place");
  if (in_place == line.has("output"))
    return make_error(ErrorCode::kUsage, "expected either -o FILE or --in-place");
  if (in_place && line.get<bool>("metadata"))
    return make_error(ErrorCode::kUsage, "--metadata needs -o FILE: it changes the file's length");
  if (!in_place)
    BANKAI_RETURN_IF_ERROR(check_output(line.get<std::string>("output"), files.subspan(1)));
  const bool to_pack = !in_place && line.get<std::string>("output").ends_with(kPackEnding);
  if (to_pack && line.get<bool>("metadata"))
    return make_error(ErrorCode::kUsage,
                      "--metadata: a pack is written without such notes; expected -o OUT.gguf");
  if (in_place) BANKAI_RETURN_IF_ERROR(check_in_place(model));
  BANKAI_ASSIGN_OR_RETURN(const std::vector<patch::Patch> patches,
                          read_patches(files.subspan(1), model));

  std::optional<patch::InPlaceEdit> edit;
  if (in_place) {
    BANKAI_ASSIGN_OR_RETURN(patch::InPlaceEdit opened, patch::InPlaceEdit::open(model));
    edit.emplace(std::move(opened));
    if (edit->undone()) remark(line, model + ": undid an edit that was interrupted");
  }
  BANKAI_ASSIGN_OR_RETURN(const PatchWeights weights, PatchWeights::open(model));
  BANKAI_ASSIGN_OR_RETURN(const std::vector<patch::FileEdit> edits,
                          make_edits(line, weights, patches, direction));
  if (in_place) {
    BANKAI_RETURN_IF_ERROR(edit->commit(edits));
    report(line, model, patches.size(), edits, direction);
    return {};
  }
  BANKAI_ASSIGN_OR_RETURN(const std::string output, required_output(line));
  std::vector<model::GgufEdit> metadata;
  if (line.get<bool>("metadata")) {
    if (weights.gguf() == nullptr)
      return make_error(ErrorCode::kUsage, "%s: a BIT1 file has no room for --metadata",
                        weights.path().c_str());
    metadata = patch_metadata(*weights.gguf(), patches, direction);
  }
  BANKAI_RETURN_IF_ERROR(
      to_pack ? write_edited_pack(weights, edits, output, overwrite_mode(line))
              : write_edited_copy(weights, edits, metadata, output, overwrite_mode(line)));
  report(line, output, patches.size(), edits, direction);
  return {};
}

}  // namespace

Status patch_apply(const CommandLine& line, Files files) {
  return put_on(line, files, Direction::kApply);
}

Status patch_revert(const CommandLine& line, Files files) {
  return put_on(line, files, Direction::kRevert);
}

}  // namespace bankai::cli
