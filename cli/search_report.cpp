#include "cli/search_report.h"

#include <cmath>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/proof_report.h"
#include "cli/report_text.h"
#include "core/format.h"
#include "patch/patch_binary.h"

namespace bankai::cli {
using Json = nlohmann::ordered_json;

namespace {

Json reasons_json(const bfs::SearchContext& context, const SearchReport& report) {
  Json reasons = Json::array();
  for (const bfs::FlipReason& reason : report.reasons)
    reasons.push_back({{"flip", patch::to_string(context.space().flip(reason.id))},
                       {"predicted", reason.predicted},
                       {"alone", reason.alone.fitness},
                       {"inside", reason.inside.fitness},
                       {"target_gain", reason.inside.target_gain},
                       {"control_loss", reason.inside.control_loss},
                       {"bytes", reason.bytes}});
  return reasons;
}

void print_reasons(const bfs::SearchContext& context, const SearchReport& report) {
  std::cout << format("\n%-32s %10s %10s %10s %10s %10s %6s\n", "flip", "predicted", "alone",
                      "in patch", "targets", "controls", "bytes");
  for (const bfs::FlipReason& reason : report.reasons)
    std::cout << format("%-32s %+10.4f %+10.4f %+10.4f %+10.4f %+10.4f %6td\n",
                        patch::to_string(context.space().flip(reason.id)).c_str(), reason.predicted,
                        reason.alone.fitness, reason.inside.fitness, reason.inside.target_gain,
                        -reason.inside.control_loss, reason.bytes);
  std::cout
      << "predicted: change of the fitness by the flip alone, by first order; alone: exactly; "
         "in patch:\nwhat the patch would lose without it, with its parts on targets and "
         "controls\n";
}

}  // namespace

void print_report(const bfs::SearchContext& context, const SearchReport& report, bool json,
                  const std::string& output) {
  const std::uint64_t bits =
      patch::count_flipped_bits(report.patch.flips, report.patch.base.shapes).bits;
  const std::size_t bytes = patch::binary_size_bytes(report.patch);
  if (json) {
    Json object = {
        {"flips", report.patch.flips.size()},
        {"bits", bits},
        {"patch_bytes", bytes},
        {"bound_bits", patch::bound_bits(report.patch)},
        {"fitness", report.fitness.fitness},
        {"target_before", report.target_before},
        {"target_after", report.target_after},
        {"control_before", report.control_before},
        {"control_after", report.control_after},
        {"pareto_front", Json::parse(bfs::to_json(report.front))},
        {"heldout", report.held_out ? Json::parse(proof_json(*report.held_out)) : Json(nullptr)},
        {"controls", report.controls ? Json::parse(proof_json(*report.controls)) : Json(nullptr)},
        {"forward_tokens", report.forward_tokens},
        {"seconds", report.seconds},
        {"ranks", report.ranks},
        {"threads", report.threads},
        {"kernel", report.kernel},
        {"output", output}};
    if (!report.reasons.empty()) object["explain"] = reasons_json(context, report);
    print_json_line(object);
    return;
  }
  std::cout << format("%-10s %s, %s; %zu bytes binary (the flips' information: %.1f bytes)\n",
                      "patch", counted(report.patch.flips.size(), "flip").c_str(),
                      counted(bits, "weight").c_str(), bytes,
                      patch::bound_bits(report.patch) / 8.0);
  std::cout << format("%-10s %+.4f", "fitness", report.fitness.fitness);
  if (report.controls)
    std::cout << format(" = targets %+.4f, controls -%.4f before the penalty",
                        report.fitness.target_gain, report.fitness.control_loss);
  std::cout << '\n';
  std::cout << format("%-10s mean score %.4f -> %.4f nats\n", "targets", report.target_before,
                      report.target_after);
  if (report.held_out) print_proof("held out", *report.held_out);
  if (report.controls) print_proof("controls", *report.controls);
  std::cout << format("%-10s %.1f s, %s through the model, %s x %s, %s kernels\n", "work",
                      report.seconds, counted(report.forward_tokens, "token").c_str(),
                      counted(static_cast<std::uint64_t>(report.ranks), "rank").c_str(),
                      counted(static_cast<std::uint64_t>(report.threads), "thread").c_str(),
                      report.kernel.c_str());
  if (!output.empty()) std::cout << format("%-10s %s\n", "written", output.c_str());
  if (!report.reasons.empty()) print_reasons(context, report);
}

Status write_scores(const std::string& path, const bfs::SearchContext& context,
                    const bfs::SearchState& state, Overwrite overwrite) {
  BANKAI_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, overwrite));
  const bool csv = path.ends_with(".csv");
  if (csv)
    BANKAI_RETURN_IF_ERROR(file.write(
        "layer,tensor,row,group,column,step,delta_loss,sensitivity,control_loss,fitness\n"));
  for (const bfs::ScoredCandidate& candidate : state.ranking) {
    const patch::Flip flip = context.space().flip(candidate.id);
    const std::string group =
        flip.kind == patch::FlipKind::kGroup ? std::to_string(flip.index) : "";
    const std::string column = patch::is_single(flip.kind) ? std::to_string(flip.index) : "";
    const int step = flip.kind == patch::FlipKind::kStepUp ? 1 : -1;
    const std::string step_text = patch::is_step(flip.kind) ? std::to_string(step) : "";
    const double delta_loss = -candidate.fitness.target_gain;
    if (csv) {
      BANKAI_RETURN_IF_ERROR(file.write(
          format("%u,%s,%u,%s,%s,%s,%.17g,%.17g,%.17g,%.17g\n", flip.tensor.layer,
                 std::string(short_name(flip.tensor.projection)).c_str(), flip.row, group.c_str(),
                 column.c_str(), step_text.c_str(), delta_loss, std::abs(delta_loss),
                 candidate.fitness.control_loss, candidate.fitness.fitness)));
      continue;
    }
    Json line = {{"layer", flip.tensor.layer},
                 {"tensor", short_name(flip.tensor.projection)},
                 {"row", flip.row}};
    if (!group.empty()) line["group"] = flip.index;
    if (!column.empty()) line["column"] = flip.index;
    if (!step_text.empty()) line["step"] = step;
    line["delta_loss"] = delta_loss;
    line["sensitivity"] = std::abs(delta_loss);
    line["control_loss"] = candidate.fitness.control_loss;
    line["fitness"] = candidate.fitness.fitness;
    BANKAI_RETURN_IF_ERROR(file.write(line.dump() + "\n"));
  }
  return file.commit();
}

std::uint64_t forward_tokens(const bfs::SearchContext& context, const bfs::SearchState& state) {
  return state.work / (2 * context.search_model().num_layers());
}

std::string round_event(const bfs::SearchContext& context, const bfs::SearchState& state,
                        double seconds) {
  Json flips = Json::array();
  for (const bfs::CandidateId id : state.accepted)
    flips.push_back(patch::to_string(context.space().flip(id)));
  const Json event = {{"event", "round"},
                      {"round", state.round},
                      {"accepted", state.accepted.size()},
                      {"fitness", state.fitness.fitness},
                      {"target_gain", state.fitness.target_gain},
                      {"control_loss", state.fitness.control_loss},
                      {"heldout_gain", state.held_out_gain},
                      {"patch_bytes", context.patch_bytes(state.accepted)},
                      {"seconds", seconds},
                      {"forward_tokens", forward_tokens(context, state)},
                      {"flips", std::move(flips)}};
  return event.dump() + "\n";
}

}  // namespace bankai::cli
