#include "cli/search_run.h"

#include <algorithm>

#include "bfs/checkpoint.h"
#include "bfs/probe_audit.h"
#include "cli/interrupt.h"
#include "cli/rank_check_report.h"
#include "cli/report_text.h"
#include "cli/search_atlas.h"
#include "cli/search_report.h"
#include "core/atomic_file.h"
#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/format.h"
#include "mpi/agreement.h"
#include "patch/patch_file.h"

namespace bankai::cli {

SearchRun::SearchRun(const CommandLine& line, const SearchSetup& setup,
                     mpi::Communicator& communicator)
    : line_(line),
      setup_(setup),
      communicator_(communicator),
      is_root_(communicator.rank() == 0),
      progress_(is_root_ && !line.quiet()) {}

Status SearchRun::run() {
  BANKAI_RETURN_IF_ERROR(prepare());
  if (setup_.files.check_ranking) return check_ranking();
  if (!setup_.files.atlas.empty()) return make_atlas();
  const Status searched = bfs::run_search(*context_, held_out_ ? &*held_out_ : nullptr, state_);
  progress_.finish();
  if (!searched.ok() && searched.error().code != ErrorCode::kStopped) return searched;
  const Stop stop = why_stopped(searched);
  if (setup_.files.explain && stop == Stop::kNone && !state_.accepted.empty()) {
    BANKAI_ASSIGN_OR_RETURN(reasons_, bfs::explain(*context_, state_));
    progress_.finish();
  }
  BANKAI_RETURN_IF_ERROR(agree_with_root(is_root_ ? write_status_ : Status()));
  Proofs proofs;
  if (ends_with_patch(stop)) {
    BANKAI_ASSIGN_OR_RETURN(
        proofs, make_proofs(*context_, setup_.data, held_out_ ? &*held_out_ : nullptr, state_));
  }
  return agree_with_root(is_root_ ? finish(stop, std::move(proofs)) : Status());
}

// Whether there is a result to prove and write, rather than a reason to end without.
bool SearchRun::ends_with_patch(Stop stop) const {
  const bool goes_on_later = stop != Stop::kNone && !setup_.files.checkpoint.empty();
  return !goes_on_later && stop != Stop::kSignal && !state_.accepted.empty();
}

SearchRun::Stop SearchRun::why_stopped(const Status& status) {
  Stop mine = Stop::kNone;
  if (!status.ok()) mine = interrupt_requested() ? Stop::kSignal : Stop::kTimeLimit;
  return static_cast<Stop>(
      communicator_.all_reduce(static_cast<std::int64_t>(mine), mpi::ReduceOp::kMax));
}

Status SearchRun::prepare() {
  if (setup_.model != nullptr)
    for (const std::string& warning : setup_.model->warnings())
      progress_.remark("warning: " + warning);
  Status checked;
  if (is_root_) checked = check_outputs();
  if (is_root_ && checked.ok()) checked = check_probes();
  BANKAI_RETURN_IF_ERROR(agree_with_root(checked));
  BANKAI_RETURN_IF_ERROR(mpi::agree(communicator_, create_context()));
  warn_of_length();
  return resume();
}

// Whether files can be written, before hours of work for them. Which ones may be replaced is known.
Status SearchRun::check_outputs() {
  const SearchFiles& files = setup_.files;
  std::vector<std::string> paths = files.atlas;
  paths.insert(paths.end(), {files.output, files.scores, files.checkpoint});
  for (const std::string& path : paths) {
    if (path.empty()) continue;
    BANKAI_ASSIGN_OR_RETURN(const AtomicFile removed_at_once,
                            AtomicFile::create(path, Overwrite::kReplace));
  }
  return files.log.empty() ? Status() : append_log(files.log, "");
}

// Windows of texts are cut to what the model declares, probes cannot be.
void SearchRun::warn_of_length() {
  const std::size_t declared = setup_.searched->context();
  std::size_t longest = 0;
  for (const auto& tokens : context_->objective().sequences)
    longest = std::max(longest, tokens.size());
  if (longest > declared)
    progress_.remark(
        format("warning: probes of up to %s go beyond the context of %zu that the model declares",
               counted(longest, "token").c_str(), declared));
}

Status SearchRun::create_context() {
  BANKAI_ASSIGN_OR_RETURN(
      context_, bfs::SearchContext::create(*setup_.searched, communicator_, setup_.options,
                                           setup_.data, make_hooks()));
  if (setup_.data.held_out.empty()) return {};
  BANKAI_ASSIGN_OR_RETURN(
      held_out_, bfs::HeldOut::create(*setup_.searched, communicator_, setup_.data.held_out,
                                      window_tokens(setup_.options, *setup_.searched)));
  return {};
}

// Findings on standard error; an error if one makes the search meaningless.
Status SearchRun::check_probes() {
  constexpr std::size_t kMostLines = 12;
  const std::vector<bfs::Finding> findings =
      bfs::audit_probes(*setup_.searched, setup_.options, setup_.data);
  for (const bfs::Finding& finding : findings)
    if (finding.is_fatal) return Error{ErrorCode::kBadInput, finding.message};
  for (std::size_t i = 0; i < findings.size() && i < kMostLines; ++i)
    progress_.remark("warning: " + findings[i].message);
  if (findings.size() > kMostLines)
    progress_.remark(format("warning: and %zu more such findings", findings.size() - kMostLines));
  return {};
}

// The other ranks bring none, so that the message names no rank: it is the same for any number of
// them.
Status SearchRun::agree_with_root(const Status& mine) {
  ByteWriter writer;
  mpi::write_status(writer, mine);
  const std::vector<std::byte> of_root = communicator_.all_gather(writer.bytes())[0];
  ByteReader reader(of_root);
  return mpi::read_status(reader);
}

// The checkpoint is read where it was written, on rank 0.
Status SearchRun::resume() {
  if (!setup_.files.resume) return {};
  std::vector<std::byte> bytes;
  Status status;
  if (is_root_) status = load_checkpoint(setup_.files.checkpoint, bytes);
  BANKAI_RETURN_IF_ERROR(agree_with_root(status));
  if (bytes.empty() && is_root_) progress_.remark("no checkpoint yet: starting from the beginning");
  const std::vector<std::byte> shared = communicator_.all_gather(bytes)[0];
  if (shared.empty()) return {};
  Result<bfs::SearchState> state =
      bfs::decode_checkpoint(shared, setup_.digest, context_->space().size());
  if (!state.ok()) return with_context(state.error(), setup_.files.checkpoint);
  state_ = std::move(state).value();
  return {};
}

bfs::SearchHooks SearchRun::make_hooks() {
  bfs::SearchHooks hooks;
  hooks.should_stop = [this] {
    const double limit = setup_.files.time_limit_seconds;
    return interrupt_requested() || (limit > 0.0 && clock_.seconds() >= limit);
  };
  if (!is_root_) return hooks;
  hooks.on_progress = [this](const bfs::SearchState& state, double fraction) {
    progress_.update(
        format("round %llu  fitness %+.4f  %s", static_cast<unsigned long long>(state.round + 1),
               state.fitness.fitness, counted(state.accepted.size(), "flip").c_str()),
        fraction);
  };
  hooks.on_checkpoint = [this](const bfs::SearchState& state) { note(save_checkpoint(state)); };
  hooks.on_round = [this](const bfs::SearchState& state) { show_round(state); };
  return hooks;
}

Status SearchRun::save_checkpoint(const bfs::SearchState& state) {
  if (setup_.files.checkpoint.empty()) return {};
  bfs::SearchState saved = state;
  saved.seconds = seconds();
  return write_checkpoint(setup_.files.checkpoint, bfs::encode_checkpoint(saved, setup_.digest));
}

void SearchRun::show_round(const bfs::SearchState& state) {
  if (setup_.options.strategy != bfs::StrategyKind::kHillClimb) {
    std::string text = format("round %llu: %s, %zu bytes, fitness %+.4f",
                              static_cast<unsigned long long>(state.round),
                              counted(state.accepted.size(), "flip").c_str(),
                              context_->patch_bytes(state.accepted), state.fitness.fitness);
    if (held_out_) text += format(", held out %+.4f", state.held_out_gain);
    progress_.remark(text);
  } else {
    show_draw(state);
  }
  if (!setup_.files.log.empty())
    note(append_log(setup_.files.log, round_event(*context_, state, seconds())));
  if (state.round == 1 && !setup_.files.scores.empty())
    note(write_scores(setup_.files.scores, *context_, state, Overwrite::kReplace));
}

void SearchRun::show_draw(const bfs::SearchState& state) {
  progress_.update(
      format("draw %llu  fitness %+.4f  %s", static_cast<unsigned long long>(state.round),
             state.fitness.fitness, counted(state.accepted.size(), "flip").c_str()),
      static_cast<double>(state.round) / static_cast<double>(context_->options().iterations));
}

void SearchRun::note(const Status& status) {
  if (!status.ok() && write_status_.ok()) write_status_ = status;
}

// Rank 0 alone: writes and prints the result.
Status SearchRun::finish(Stop stop, Proofs proofs) {
  const bool has_checkpoint = !setup_.files.checkpoint.empty();
  if (stop != Stop::kNone && has_checkpoint) {
    BANKAI_RETURN_IF_ERROR(save_checkpoint(state_));
    return make_error(ErrorCode::kStopped, "stopped after round %llu; go on with --resume",
                      static_cast<unsigned long long>(state_.round));
  }
  if (stop == Stop::kSignal)
    return Error{ErrorCode::kInterrupted, "interrupted, without a --checkpoint to go on from"};
  if (state_.accepted.empty() && stop == Stop::kTimeLimit)
    return Error{ErrorCode::kNoSolution, "the time limit came before a round was complete"};
  if (state_.accepted.empty())
    return Error{ErrorCode::kNoSolution,
                 held_out_ && setup_.options.patience > 0
                     ? "no round improved the held-out score: nothing generalises"
                     : "no flip within the budget improves the fitness"};
  BANKAI_ASSIGN_OR_RETURN(SearchReport report,
                          make_report(*context_, std::move(proofs), state_,
                                      {setup_.model_hash, seconds(), communicator_.size()}));
  report.reasons = reasons_;
  const bool generalises =
      !report.held_out || report.held_out->generalises(setup_.files.held_out_level);
  const std::string written = generalises ? setup_.files.output : std::string();
  if (!written.empty())
    BANKAI_RETURN_IF_ERROR(patch::write_patch(
        report.patch, written, line_.force() ? Overwrite::kReplace : Overwrite::kRefuse));
  print_report(*context_, report, line_.json(), written);
  if (!generalises)
    return make_error(ErrorCode::kNoSolution,
                      "does not generalise: %s, so the patch was not written",
                      why_unproven(*report.held_out).c_str());
  return {};
}

std::string SearchRun::why_unproven(const bfs::HeldOutResult& proof) const {
  const std::size_t fixed = proof.fixed.size(), broken = proof.broken.size();
  if (proof.num_probes == 0) return "the held-out texts do not become likelier";
  if (fixed <= broken) return "not more held-out answers are fixed than broken";
  return format(
      "%s fixed and %zu broken is what chance does in %.0f %% of cases "
      "(--heldout-level allows %.0f %%)",
      counted(fixed, "held-out answer").c_str(), broken, 100.0 * bfs::chance_of(fixed, broken),
      100.0 * setup_.files.held_out_level);
}

Status SearchRun::check_ranking() {
  BANKAI_ASSIGN_OR_RETURN(
      const bfs::RankCheck check,
      bfs::check_ranking(*context_, *setup_.files.check_ranking, setup_.options.seed));
  progress_.finish();
  if (is_root_) print_rank_check(check, line_.json());
  return {};
}

Status SearchRun::make_atlas() {
  BANKAI_ASSIGN_OR_RETURN(const std::string name, context_->search_model().name());
  std::optional<bfs::AtlasRules> rules;
  if (setup_.binary != nullptr) {
    BANKAI_ASSIGN_OR_RETURN(rules, read_atlas_rules(line_, setup_.binary->shape));
  }
  const Result<bfs::Atlas> atlas = bfs::make_atlas(
      *context_, setup_.data, name, to_hex(setup_.model_hash), setup_.forward.activations, rules);
  progress_.finish();
  const Status made = atlas.ok() ? Status() : Status(atlas.error());
  if (!made.ok() && made.error().code != ErrorCode::kStopped) return made;
  switch (why_stopped(made)) {
    case Stop::kSignal:
      return Error{ErrorCode::kInterrupted, "interrupted: an atlas is made in one go"};
    case Stop::kTimeLimit:
      return Error{ErrorCode::kNoSolution, "the time limit came before the atlas was complete"};
    case Stop::kNone: break;
  }
  return agree_with_root(is_root_ ? put_out_atlas(*atlas, line_, setup_.files.atlas) : Status());
}

}  // namespace bankai::cli
