#include "cli/search_report.h"

#include <cmath>
#include <iostream>

#include <nlohmann/json.hpp>

#include "core/format.h"
#include "patch/patch_binary.h"

namespace bankai::cli {
namespace {

using Json = nlohmann::ordered_json;

Json interval_json(std::size_t successes, std::size_t trials) {
  const bfs::Interval interval = bfs::wilson_interval(successes, trials);
  return {interval.low, interval.high};
}

Json proof_json(const bfs::HeldOutResult& proof) {
  Json json;
  if (proof.num_probes == 0) {
    json = {
        {"before", proof.score_before}, {"after", proof.score_after}, {"fixed", 0}, {"broken", 0}};
  } else {
    json = {{"before", proof.correct_before},
            {"after", proof.correct_after},
            {"fixed", proof.fixed.size()},
            {"broken", proof.broken.size()},
            {"num_probes", proof.num_probes},
            {"before_interval", interval_json(proof.correct_before, proof.num_probes)},
            {"after_interval", interval_json(proof.correct_after, proof.num_probes)},
            {"fixed_names", proof.fixed},
            {"broken_names", proof.broken}};
  }
  json["score_before"] = proof.score_before;
  json["score_after"] = proof.score_after;
  return json;
}

std::string percent_text(std::size_t successes, std::size_t trials) {
  const bfs::Interval interval = bfs::wilson_interval(successes, trials);
  const double share =
      trials > 0 ? static_cast<double>(successes) / static_cast<double>(trials) : 0.0;
  return format("%.1f %% [%.1f, %.1f]", 100.0 * share, 100.0 * interval.low, 100.0 * interval.high);
}

void print_proof(const char* title, const bfs::HeldOutResult& proof) {
  if (proof.num_probes > 0) {
    std::cout << format("%-10s %zu -> %zu of %zu right (fixed %zu, broken %zu)\n", title,
                        proof.correct_before, proof.correct_after, proof.num_probes,
                        proof.fixed.size(), proof.broken.size());
    std::cout << format("%-10s %s -> %s\n", "",
                        percent_text(proof.correct_before, proof.num_probes).c_str(),
                        percent_text(proof.correct_after, proof.num_probes).c_str());
  }
  std::cout << format("%-10s mean log-probability %.4f -> %.4f nats\n",
                      proof.num_probes > 0 ? "" : title, proof.score_before, proof.score_after);
}

}  // namespace

void print_report(const SearchReport& report, bool json, const std::string& output) {
  const std::uint64_t bits =
      patch::count_flipped_bits(report.patch.flips, report.patch.base.shapes).bits;
  const std::size_t bytes = patch::binary_size_bytes(report.patch);
  if (json) {
    Json object = {{"flips", report.patch.flips.size()},
                   {"bits", bits},
                   {"patch_bytes", bytes},
                   {"bound_bits", patch::bound_bits(report.patch)},
                   {"fitness", report.fitness.fitness},
                   {"target_before", report.target_before},
                   {"target_after", report.target_after},
                   {"control_before", report.control_before},
                   {"control_after", report.control_after},
                   {"heldout", report.held_out ? proof_json(*report.held_out) : Json(nullptr)},
                   {"controls", report.controls ? proof_json(*report.controls) : Json(nullptr)},
                   {"forward_tokens", report.forward_tokens},
                   {"seconds", report.seconds},
                   {"ranks", report.ranks},
                   {"threads", report.threads},
                   {"kernel", report.kernel},
                   {"output", output}};
    std::cout << object.dump() << '\n';
    return;
  }
  std::cout << format(
      "%-10s %zu flips, %llu bits; %zu bytes binary (the flips' information: %.1f bytes)\n",
      "patch", report.patch.flips.size(), static_cast<unsigned long long>(bits), bytes,
      patch::bound_bits(report.patch) / 8.0);
  std::cout << format("%-10s %+.4f = targets %+.4f, controls -%.4f before the penalty\n", "fitness",
                      report.fitness.fitness, report.fitness.target_gain,
                      report.fitness.control_loss);
  std::cout << format("%-10s mean score %.4f -> %.4f nats\n", "targets", report.target_before,
                      report.target_after);
  if (report.held_out) print_proof("held out", *report.held_out);
  if (report.controls) print_proof("controls", *report.controls);
  std::cout << format(
      "%-10s %.1f s, %llu tokens through the model, %d ranks x %d threads, %s kernels\n", "work",
      report.seconds, static_cast<unsigned long long>(report.forward_tokens), report.ranks,
      report.threads, report.kernel.c_str());
  if (!output.empty()) std::cout << format("%-10s %s\n", "written", output.c_str());
}

Status write_scores(const std::string& path, const bfs::SearchContext& context,
                    const bfs::SearchState& state, Overwrite overwrite) {
  BANKAI_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, overwrite));
  const bool csv = path.ends_with(".csv");
  if (csv)
    BANKAI_RETURN_IF_ERROR(
        file.write("layer,tensor,row,group,column,delta_loss,sensitivity,control_loss,fitness\n"));
  for (const bfs::ScoredCandidate& candidate : state.ranking) {
    const patch::Flip flip = context.space().flip(candidate.id);
    const std::string group =
        flip.kind == patch::FlipKind::kGroup ? std::to_string(flip.index) : "";
    const std::string column = flip.kind == patch::FlipKind::kBit ? std::to_string(flip.index) : "";
    const double delta_loss = -candidate.fitness.target_gain;
    if (csv) {
      BANKAI_RETURN_IF_ERROR(
          file.write(format("%u,%s,%u,%s,%s,%.17g,%.17g,%.17g,%.17g\n", flip.tensor.layer,
                            std::string(short_name(flip.tensor.projection)).c_str(), flip.row,
                            group.c_str(), column.c_str(), delta_loss, std::abs(delta_loss),
                            candidate.fitness.control_loss, candidate.fitness.fitness)));
      continue;
    }
    Json line = {{"layer", flip.tensor.layer},
                 {"tensor", short_name(flip.tensor.projection)},
                 {"row", flip.row}};
    if (!group.empty()) line["group"] = flip.index;
    if (!column.empty()) line["column"] = flip.index;
    line["delta_loss"] = delta_loss;
    line["sensitivity"] = std::abs(delta_loss);
    line["control_loss"] = candidate.fitness.control_loss;
    line["fitness"] = candidate.fitness.fitness;
    BANKAI_RETURN_IF_ERROR(file.write(line.dump() + "\n"));
  }
  return file.commit();
}

std::uint64_t forward_tokens(const bfs::SearchContext& context, const bfs::SearchState& state) {
  return state.work / (2 * context.model().parameters().num_layers);
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
