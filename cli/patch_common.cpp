#include <iostream>
#include <utility>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/model_opening.h"
#include "cli/patch_commands.h"
#include "cli/report_text.h"
#include "core/format.h"
#include "core/sha256.h"
#include "patch/patch_binary.h"
#include "patch/patch_json.h"

namespace bankai::cli {
namespace {

using Json = nlohmann::ordered_json;
using patch::FlipKind;

std::size_t count_kind(std::span<const patch::Flip> flips, FlipKind kind) {
  std::size_t count = 0;
  for (const patch::Flip& flip : flips) count += flip.kind == kind ? 1U : 0U;
  return count;
}

std::size_t count_steps(std::span<const patch::Flip> flips) {
  return count_kind(flips, FlipKind::kStepUp) + count_kind(flips, FlipKind::kStepDown);
}

Json describe_tensor(const patch::Patch& patch, TensorAddress tensor) {
  const std::span<const patch::Flip> flips = patch.flips.of(tensor);
  Json entry = {{"layer", tensor.layer},
                {"proj", std::string(patch_name(tensor.projection))},
                {"flips", flips.size()},
                {"row_flips", count_kind(flips, FlipKind::kRow)},
                {"group_flips", count_kind(flips, FlipKind::kGroup)},
                {"bit_flips", count_kind(flips, FlipKind::kBit)},
                {"steps", count_steps(flips)}};
  const auto shape = patch.base.shapes.find(tensor);
  if (shape != patch.base.shapes.end()) {
    entry["rows"] = shape->second.rows;
    entry["cols"] = shape->second.cols;
  }
  return entry;
}

bool names_model(const patch::Patch& patch) {
  return !patch.base_model.empty() && patch.base_model != "unknown";
}

std::string base_of(const patch::Patch& patch) {
  if (names_model(patch)) return patch.base_model;
  return patch.base.hash ? to_hex(*patch.base.hash) : "unknown";
}

// "2 rows, 1 bit": the kinds that are there.
std::string kinds_text(std::span<const patch::Flip> flips) {
  const std::pair<std::size_t, const char*> kinds[] = {
      {count_kind(flips, FlipKind::kRow), "row"},
      {count_kind(flips, FlipKind::kGroup), "group"},
      {count_kind(flips, FlipKind::kBit), "bit"},
      {count_steps(flips), "step"}};
  std::string text;
  for (const auto& [count, kind] : kinds)
    if (count > 0) text += (text.empty() ? "" : ", ") + counted(count, kind);
  return text;
}

}  // namespace

Result<std::vector<patch::Patch>> read_patches(Files files, const std::string& model) {
  std::vector<patch::Patch> patches;
  for (const std::string& file : files) {
    BANKAI_ASSIGN_OR_RETURN(patch::Patch patch, open_patch(file, model));
    patches.push_back(std::move(patch));
  }
  return patches;
}

Result<std::string> required_output(const CommandLine& line) {
  if (!line.has("output")) return make_error(ErrorCode::kUsage, "-o FILE is missing (see --help)");
  return line.get<std::string>("output");
}

void remark(const CommandLine& line, const std::string& text) {
  if (!line.quiet()) std::cerr << line.program() << ": " << text << '\n';
}

void print_info_json(const patch::Patch& patch, const std::string& output) {
  const patch::BitCount bits = patch::count_flipped_bits(patch.flips, patch.base.shapes);
  Json object;
  if (!output.empty()) object["output"] = output;
  object.update({{"name", patch.name},
                 {"base", base_of(patch)},
                 {"flips", patch.flips.size()},
                 {"bits_flipped", bits.bits},
                 {"binary_bytes", patch::binary_size_bytes(patch)},
                 {"json_bytes", patch::format_json(patch).size()},
                 {"bound_bits", patch::bound_bits(patch)},
                 {"row_flips", patch.flips.count(FlipKind::kRow)},
                 {"group_flips", patch.flips.count(FlipKind::kGroup)},
                 {"bit_flips", patch.flips.count(FlipKind::kBit)},
                 {"steps", count_steps(patch.flips.flips())},
                 {"bits_flipped_is_exact", bits.exact},
                 {"description", patch.description},
                 {"base_model", patch.base_model},
                 {"base_hash", patch.base.hash ? Json(to_hex(*patch.base.hash)) : Json()},
                 {"metadata", patch.metadata.empty() ? Json::object()
                                                     : Json::parse(patch.metadata, nullptr, false)},
                 {"tensors", Json::array()}});
  for (const TensorAddress tensor : patch.flips.tensors())
    object["tensors"].push_back(describe_tensor(patch, tensor));
  print_json_line(object);
}

void print_info_text(const patch::Patch& patch) {
  const patch::BitCount bits = patch::count_flipped_bits(patch.flips, patch.base.shapes);
  const double bound = patch::bound_bits(patch);
  std::cout << "name          " << patch.name << '\n'
            << "base          " << (names_model(patch) ? patch.base_model : "without a name")
            << '\n'
            << "base hash     "
            << (patch.base.hash ? to_hex(*patch.base.hash) : "none: not bound to a base") << '\n'
            << "flips         " << patch.flips.size()
            << (patch.flips.empty() ? "" : " (" + kinds_text(patch.flips.flips()) + ")") << '\n'
            << "touches       " << counted(bits.bits, "weight")
            << (bits.exact ? "\n" : " (rows of unknown width counted as 4096)\n")
            << format("bytes         %zu binary, %zu JSON; bound %.1f bits = %.1f bytes\n",
                      patch::binary_size_bytes(patch), patch::format_json(patch).size(), bound,
                      bound / 8);
  for (const TensorAddress tensor : patch.flips.tensors())
    std::cout << format("  %-16s  %s\n", to_string(tensor).c_str(),
                        kinds_text(patch.flips.of(tensor)).c_str());
}

}  // namespace bankai::cli
