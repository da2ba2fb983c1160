#include "cli/search_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "patch/fingerprint.h"

namespace bankai::cli {
namespace {

// How the patch came about: kept in the JSON file. No times and no machine: equal searches give
// equal bytes.
std::string history(const bfs::SearchContext& context, const SearchReport& report,
                    const Sha256Digest& model_hash) {
  const bfs::SearchOptions& options = context.options();
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  nlohmann::ordered_json projections = nlohmann::ordered_json::array();
  for (const TensorAddress tensor : options.tensors) {
    if (layers.empty() || layers.back() != tensor.layer) layers.push_back(tensor.layer);
    if (tensor.layer == options.tensors.front().layer)
      projections.push_back(patch_name(tensor.projection));
  }
  nlohmann::ordered_json json = {{"search_algorithm", bfs::strategy_name(options.strategy).name},
                                 {"metric", bfs::metric_name(options.metric)},
                                 {"control_metric", bfs::metric_name(options.control_metric)},
                                 {"control_penalty", options.control_penalty},
                                 {"granularity", bfs::granularity_name(options.granularity)},
                                 {"activations", context.search_model().precision()},
                                 {"search_layers", layers},
                                 {"search_projs", projections},
                                 {"max_iters", options.iterations},
                                 {"seed", options.seed},
                                 {"final_fitness", report.fitness.fitness},
                                 {"model_sha256", to_hex(model_hash)}};
  if (report.held_out && report.held_out->num_probes > 0)
    json["held_out"] = {{"probes", report.held_out->num_probes},
                        {"correct_before", report.held_out->correct_before},
                        {"correct_after", report.held_out->correct_after},
                        {"fixed", report.held_out->fixed.size()},
                        {"broken", report.held_out->broken.size()}};
  return json.dump();
}

Result<patch::Patch> bound_patch(const bfs::SearchContext& context, const bfs::SearchState& state) {
  BANKAI_ASSIGN_OR_RETURN(patch::Patch patch, context.make_patch(state.accepted));
  BANKAI_ASSIGN_OR_RETURN(patch.base_model, context.search_model().name());
  BANKAI_RETURN_IF_ERROR(patch::bind_to_base(patch, context.search_model().weights()));
  if (context.options().bare) patch.base.hash.reset();
  return patch;
}

}  // namespace

Status load_checkpoint(const std::string& path, std::vector<std::byte>& bytes) {
  if (!std::filesystem::exists(path)) return {};
  BANKAI_ASSIGN_OR_RETURN(const std::string content, read_file(path));
  if (content.empty())
    return make_error(ErrorCode::kBadInput, "%s: not a search checkpoint: it is empty",
                      path.c_str());
  const auto view = std::as_bytes(std::span<const char>(content.data(), content.size()));
  bytes.assign(view.begin(), view.end());
  return {};
}

Status write_checkpoint(const std::string& path, std::span<const std::byte> bytes) {
  BANKAI_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, Overwrite::kReplace));
  BANKAI_RETURN_IF_ERROR(file.write(bytes));
  return file.commit();
}

Status append_log(const std::string& path, std::string_view line) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  const bool written = descriptor >= 0 && ::write(descriptor, line.data(), line.size()) ==
                                              static_cast<ssize_t>(line.size());
  const int problem = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!written)
    return make_error(ErrorCode::kIo, "%s: cannot append: %s", path.c_str(),
                      std::strerror(problem));
  return {};
}

std::size_t window_tokens(const bfs::SearchOptions& options, const bfs::SearchModel& model) {
  return std::min(options.text_context, model.context());
}

Result<Proofs> make_proofs(bfs::SearchContext& context, const bfs::SearchData& data,
                           bfs::HeldOut* held_out, const bfs::SearchState& state) {
  Proofs proofs;
  const std::vector<patch::Flip> flips = context.flips(state.accepted);
  if (held_out != nullptr) proofs.held_out = held_out->compare(flips, {});
  if (data.controls.empty()) return proofs;
  BANKAI_ASSIGN_OR_RETURN(
      bfs::HeldOut controls,
      bfs::HeldOut::create(context.search_model(), context.communicator(), data.controls,
                           window_tokens(context.options(), context.search_model())));
  std::optional<bfs::HeldOut::Scores> known;
  if (context.options().control_metric == bfs::Metric::kNll)  // then the search has them
    known = {bfs::mean_score(context.objective(), context.base_scores(), true),
             bfs::mean_score(context.objective(), context.state_scores(), true)};
  proofs.controls = controls.compare(flips, known);
  return proofs;
}

Result<SearchReport> make_report(bfs::SearchContext& context, Proofs proofs,
                                 const bfs::SearchState& state, const RunFacts& facts) {
  SearchReport report;
  const std::span<const double> base = context.base_scores();
  report.fitness = state.fitness;
  report.front = state.front;
  report.target_before = bfs::mean_score(context.objective(), base, false);
  report.target_after = bfs::mean_score(context.objective(), context.state_scores(), false);
  report.control_before = bfs::mean_score(context.objective(), base, true);
  report.control_after = bfs::mean_score(context.objective(), context.state_scores(), true);
  report.held_out = std::move(proofs.held_out);
  report.controls = std::move(proofs.controls);
  report.forward_tokens = forward_tokens(context, state);
  report.seconds = facts.seconds;
  report.ranks = facts.ranks;
  report.threads = context.search_model().threads();
  report.kernel = context.search_model().table().name;
  BANKAI_ASSIGN_OR_RETURN(report.patch, bound_patch(context, state));
  report.patch.metadata = history(context, report, facts.model_hash);
  return report;
}

}  // namespace bankai::cli
