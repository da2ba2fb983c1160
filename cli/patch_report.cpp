// bankai-patch info, overlap and validate: commands that look at patches.
#include <algorithm>
#include <iostream>
#include <optional>

#include <nlohmann/json.hpp>

#include "bfs/held_out.h"
#include "cli/json_output.h"
#include "cli/model_kind.h"
#include "cli/parse.h"
#include "cli/patch_commands.h"
#include "cli/patch_loading.h"
#include "cli/patch_weights.h"
#include "cli/proof_report.h"
#include "cli/report_text.h"
#include "core/format.h"
#include "model/parallel.h"
#include "mpi/self_communicator.h"
#include "patch/algebra.h"
#include "patch/patch_binary.h"
#include "patch/patch_file.h"

namespace bankai::cli {
namespace {

using Json = nlohmann::ordered_json;

const char* state_name(patch::BaseState state) {
  switch (state) {
    case patch::BaseState::kUnbound: return "unbound";
    case patch::BaseState::kBase: return "base";
    case patch::BaseState::kApplied: return "applied";
    case patch::BaseState::kOther: return "other";
  }
  return "other";
}

Json describe_pair(const patch::Patch& first, const patch::Patch& second,
                   std::span<const patch::TensorOverlap> table) {
  Json pair = {{"first", first.name}, {"second", second.name}};
  std::uint64_t common_flips = 0;
  std::uint64_t common_bits = 0;
  Json tensors = Json::array();
  for (const patch::TensorOverlap& entry : table) {
    common_flips += entry.common_flips;
    common_bits += entry.common_bits;
    tensors.push_back({{"layer", entry.tensor.layer},
                       {"proj", std::string(patch_name(entry.tensor.projection))},
                       {"flips_first", entry.flips_first},
                       {"flips_second", entry.flips_second},
                       {"common_flips", entry.common_flips},
                       {"common_bits", entry.common_bits}});
  }
  pair["common_flips"] = common_flips;
  pair["common_bits"] = common_bits;
  pair["tensors"] = std::move(tensors);
  return pair;
}

void print_pair_text(const Json& pair) {
  std::cout << format("%s and %s: %s, %s\n", pair["first"].get<std::string>().c_str(),
                      pair["second"].get<std::string>().c_str(),
                      counted(pair["common_flips"].get<std::uint64_t>(), "common flip").c_str(),
                      counted(pair["common_bits"].get<std::uint64_t>(), "common weight").c_str());
  for (const Json& tensor : pair["tensors"])
    if (tensor["common_bits"] != 0)
      std::cout << format(
          "  %-14s layer %3ju  %6ju of %ju and %ju flips, %s\n",
          tensor["proj"].get<std::string>().c_str(), tensor["layer"].get<std::uint64_t>(),
          tensor["common_flips"].get<std::uint64_t>(), tensor["flips_first"].get<std::uint64_t>(),
          tensor["flips_second"].get<std::uint64_t>(),
          counted(tensor["common_bits"].get<std::uint64_t>(), "weight").c_str());
}

// All patches together, on probes: generated answers without and with them.
Result<bfs::HeldOutResult> prove(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const kernels::KernelTable* table, line.kernel());
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(model::available_threads()));
  BANKAI_ASSIGN_OR_RETURN(const auto model,
                          load_model(line.get<std::string>("model"), {.threads = threads}));
  BANKAI_ASSIGN_OR_RETURN(const PatchStack stack,
                          load_patches(files, *model, line.force(),
                                       [&](const std::string& text) { remark(line, text); }));
  BANKAI_ASSIGN_OR_RETURN(bfs::DataSet data, bfs::read_data_set(line.get<std::string>("probes")));
  model::Transformer transformer(*model, *table,
                                 model::forward_options(kernels::ActivationMode::kA16, threads));
  const std::size_t context = std::min<std::size_t>(512, model->parameters().context);
  mpi::SelfCommunicator self;
  BANKAI_ASSIGN_OR_RETURN(
      bfs::HeldOut probes,
      bfs::HeldOut::create(transformer, self, {{std::move(data), 1.0}}, context));
  return probes.compare(stack.flips.flips(), {});
}

// What validate finds about one patch; `problem` is empty if all is well.
struct Verdict {
  Json object;
  std::string problem;
};

Verdict judge(const patch::Patch& patch, const std::string& file,
              const std::optional<PatchWeights>& weights, std::optional<std::uint64_t> budget) {
  const std::size_t size = patch::binary_size_bytes(patch);
  Verdict verdict{
      {{"file", file}, {"name", patch.name}, {"flips", patch.flips.size()}, {"bytes", size}}, ""};
  if (weights) {
    const Result<patch::BaseCheck> check = patch::check_base(patch, weights->lookup());
    if (check.ok()) verdict.object["state"] = state_name(check->state);
    if (!check.ok())
      verdict.problem = check.error().message;
    else if (check->state == patch::BaseState::kOther)
      verdict.problem =
          patch::require_state(patch, *check, patch::Direction::kApply).error().message;
  }
  if (verdict.problem.empty() && budget && size > *budget)
    verdict.problem = format("takes %zu bytes, the budget is %llu", size,
                             static_cast<unsigned long long>(*budget));
  verdict.object["valid"] = verdict.problem.empty();
  if (!verdict.problem.empty()) verdict.object["problem"] = verdict.problem;
  return verdict;
}

}  // namespace

Status patch_info(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const patch::Patch patch, patch::read_patch(files[0]));
  if (line.json())
    print_info_json(patch);
  else
    print_info_text(patch);
  return {};
}

Status patch_overlap(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const std::vector<patch::Patch> patches, read_patches(files));
  Json pairs = Json::array();
  for (std::size_t i = 0; i < patches.size(); ++i)
    for (std::size_t j = i + 1; j < patches.size(); ++j) {
      BANKAI_ASSIGN_OR_RETURN(const auto table, patch::overlap(patches[i], patches[j]));
      pairs.push_back(describe_pair(patches[i], patches[j], table));
    }
  if (line.json())
    print_json_line(Json{{"pairs", pairs}});
  else
    for (const Json& pair : pairs) print_pair_text(pair);
  return {};
}

Status patch_validate(const CommandLine& line, Files files) {
  if (line.has("probes") && !line.has("model"))
    return make_error(ErrorCode::kUsage, "--probes needs --model MODEL");
  if (line.has("probes")) {
    BANKAI_ASSIGN_OR_RETURN(const ModelKind kind,
                            detect_model_kind(line.get<std::string>("model")));
    if (kind == ModelKind::kBit1)
      return make_error(ErrorCode::kUsage, "--probes does not go with a BIT1 model");
  }
  const std::string model = line.has("model") ? line.get<std::string>("model") : "";
  std::optional<PatchWeights> weights;
  if (line.has("model")) {
    BANKAI_ASSIGN_OR_RETURN(PatchWeights opened,
                            PatchWeights::open(line.get<std::string>("model")));
    weights.emplace(std::move(opened));
  }
  std::optional<std::uint64_t> budget;
  if (line.has("budget-bytes")) {
    BANKAI_ASSIGN_OR_RETURN(budget, parse_size(line.get<std::string>("budget-bytes")));
  }
  BANKAI_ASSIGN_OR_RETURN(const std::vector<patch::Patch> patches, read_patches(files, model));
  Json list = Json::array();
  std::string first_problem;
  for (std::size_t i = 0; i < patches.size(); ++i) {
    Verdict verdict = judge(patches[i], files[i], weights, budget);
    if (first_problem.empty() && !verdict.problem.empty())
      first_problem = files[i] + ": " + verdict.problem;
    if (!line.json())
      std::cout << files[i] << ": "
                << (verdict.problem.empty()
                        ? "valid (" + verdict.object.value("state", "format only") + ")"
                        : verdict.problem)
                << '\n';
    list.push_back(std::move(verdict.object));
  }
  Json result = {{"valid", first_problem.empty()}, {"patches", std::move(list)}};
  if (first_problem.empty() && line.has("probes")) {
    BANKAI_ASSIGN_OR_RETURN(const bfs::HeldOutResult proof, prove(line, files));
    if (!proof.generalises(1.0))
      first_problem = line.get<std::string>("probes") + ": the patch does not improve them";
    result["valid"] = first_problem.empty();
    result["probes"] = Json::parse(proof_json(proof));
    if (!line.json()) print_proof("probes", proof);
  }
  if (line.json()) print_json_line(result);
  if (!first_problem.empty())
    return make_error(ErrorCode::kVerification, "%s", first_problem.c_str());
  return {};
}

}  // namespace bankai::cli
