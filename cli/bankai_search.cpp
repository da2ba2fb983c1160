// bankai-search: finds a patch that improves targets without hurting controls, on one process or
// many.
#include <memory>
#include <optional>

#include "bfs/checkpoint.h"
#include "bfs/probe_audit.h"
#include "bfs/search.h"
#include "bfs/search_digest.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/progress.h"
#include "cli/search_arguments.h"
#include "cli/search_output.h"
#include "cli/search_report.h"
#include "cli/shared_model.h"
#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/format.h"
#include "mpi/agreement.h"
#include "mpi/core_share.h"
#include "mpi/session.h"
#include "patch/patch_file.h"

namespace bankai::cli {
namespace {

constexpr const char* kProgram = "bankai-search";
constexpr const char* kSynopsis =
    "Usage: bankai-search -m MODEL.gguf --target FILE [--control FILE] [--heldout FILE] -o PATCH\n"
    "       mpirun -n 8 bankai-search …\n"
    "\n"
    "Finds a sparse set of bit flips (a patch) that makes a 1-bit model better at the targets, "
    "keeps\n"
    "the controls, and proves the gain on held-out data. The result does not depend on the number "
    "of\n"
    "ranks, threads or the instruction set.\n";

// What every rank sets up for itself.
struct Setup {
  SearchFiles files;
  bfs::SearchData data;
  bfs::SearchOptions options;
  model::LoadOptions load;
  std::unique_ptr<model::Model> model;
  const kernels::KernelTable* table = nullptr;
  model::ForwardOptions forward;
  Sha256Digest model_hash;
  Sha256Digest digest;
};

// What needs no model.
Status read_options(const CommandLine& line, int default_threads, Setup& setup) {
  BANKAI_ASSIGN_OR_RETURN(setup.files, read_search_files(line));
  BANKAI_ASSIGN_OR_RETURN(const kernels::ActivationMode mode, read_activation_mode(line));
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(default_threads));
  BANKAI_ASSIGN_OR_RETURN(setup.table, line.kernel());
  BANKAI_ASSIGN_OR_RETURN(setup.load, read_load_options(line, threads));
  setup.forward = model::forward_options(mode, threads);
  return {};
}

Status set_up(const CommandLine& line, Setup& setup) {
  BANKAI_ASSIGN_OR_RETURN(setup.options, read_search_options(line, *setup.model));
  BANKAI_ASSIGN_OR_RETURN(setup.data, read_search_data(line));
  setup.model_hash = bfs::hash_model(setup.model->file());
  setup.digest =
      bfs::hash_search(setup.model_hash, setup.forward.activations, setup.options, setup.data);
  return {};
}

// Findings on standard error; an error if one makes the search meaningless.
Status check_probes(const Setup& setup, model::Transformer& transformer, Progress& progress) {
  constexpr std::size_t kMostLines = 12;
  const std::vector<bfs::Finding> findings =
      bfs::audit_probes(transformer, setup.options, setup.data);
  for (const bfs::Finding& finding : findings)
    if (finding.is_fatal) return Error{ErrorCode::kBadInput, finding.message};
  for (std::size_t i = 0; i < findings.size() && i < kMostLines; ++i)
    progress.remark("warning: " + findings[i].message);
  if (findings.size() > kMostLines)
    progress.remark(format("warning: and %zu more such findings", findings.size() - kMostLines));
  return {};
}

// The status of the work that rank 0 does alone, on all ranks. The others bring none, so that the
// message names no rank: it is the same for any number of them.
Status agree_with_root(mpi::Communicator& communicator, const Status& mine) {
  ByteWriter writer;
  mpi::write_status(writer, mine);
  const std::vector<std::byte> of_root = communicator.all_gather(writer.bytes())[0];
  ByteReader reader(of_root);
  return mpi::read_status(reader);
}

// Why the search came to an early end, the same on all ranks.
enum class Stop : std::int64_t { kNone = 0, kTimeLimit = 1, kSignal = 2 };

class Run {
 public:
  Run(const CommandLine& line, Setup setup, mpi::Communicator& communicator)
      : line_(line),
        setup_(std::move(setup)),
        communicator_(communicator),
        is_root_(communicator.rank() == 0),
        progress_(is_root_ && !line.quiet()),
        transformer_(*setup_.model, *setup_.table, setup_.forward) {}

  Status run() {
    BANKAI_RETURN_IF_ERROR(prepare());
    const Status searched = bfs::run_search(*context_, held_out_ ? &*held_out_ : nullptr, state_);
    progress_.finish();
    if (!searched.ok() && searched.error().code != ErrorCode::kStopped) return searched;
    Stop stop = Stop::kNone;
    if (!searched.ok()) stop = interrupt_requested() ? Stop::kSignal : Stop::kTimeLimit;
    stop = static_cast<Stop>(
        communicator_.all_reduce(static_cast<std::int64_t>(stop), mpi::ReduceOp::kMax));
    return agree_with_root(communicator_, is_root_ ? finish(stop) : Status());
  }

 private:
  Status prepare() {
    for (const std::string& warning : setup_.model->warnings())
      progress_.remark("warning: " + warning);
    const Status checked = is_root_ ? check_probes(setup_, transformer_, progress_) : Status();
    BANKAI_RETURN_IF_ERROR(agree_with_root(communicator_, checked));
    BANKAI_RETURN_IF_ERROR(mpi::agree(communicator_, create_context()));
    return resume();
  }

  Status create_context() {
    BANKAI_ASSIGN_OR_RETURN(context_,
                            bfs::SearchContext::create(transformer_, communicator_, setup_.options,
                                                       setup_.data, make_hooks()));
    if (setup_.data.held_out.empty()) return {};
    BANKAI_ASSIGN_OR_RETURN(held_out_, bfs::HeldOut::create(transformer_, setup_.data.held_out,
                                                            setup_.options.text_context));
    return {};
  }

  // The checkpoint is read where it was written, on rank 0.
  Status resume() {
    if (!setup_.files.resume) return {};
    std::vector<std::byte> bytes;
    Status status;
    if (is_root_) status = load_checkpoint(setup_.files.checkpoint, bytes);
    BANKAI_RETURN_IF_ERROR(agree_with_root(communicator_, status));
    if (bytes.empty() && is_root_)
      progress_.remark("no checkpoint yet: starting from the beginning");
    const std::vector<std::byte> shared = communicator_.all_gather(bytes)[0];
    if (shared.empty()) return {};
    Result<bfs::SearchState> state =
        bfs::decode_checkpoint(shared, setup_.digest, context_->space().size());
    if (!state.ok()) return with_context(state.error(), setup_.files.checkpoint);
    state_ = std::move(state).value();
    return {};
  }

  double seconds() const { return state_.seconds + clock_.seconds(); }

  bfs::SearchHooks make_hooks() {
    bfs::SearchHooks hooks;
    hooks.should_stop = [this] {
      const double limit = setup_.files.time_limit_seconds;
      return interrupt_requested() || (limit > 0.0 && clock_.seconds() >= limit);
    };
    if (!is_root_) return hooks;
    hooks.on_progress = [this](const bfs::SearchState& state, double fraction) {
      progress_.update(format("round %llu  fitness %+.4f  %zu flips",
                              static_cast<unsigned long long>(state.round + 1),
                              state.fitness.fitness, state.accepted.size()),
                       fraction);
    };
    hooks.on_checkpoint = [this](const bfs::SearchState& state) { note(save_checkpoint(state)); };
    hooks.on_round = [this](const bfs::SearchState& state) { show_round(state); };
    return hooks;
  }

  Status save_checkpoint(const bfs::SearchState& state) {
    if (setup_.files.checkpoint.empty()) return {};
    bfs::SearchState saved = state;
    saved.seconds = seconds();
    return write_checkpoint(setup_.files.checkpoint, bfs::encode_checkpoint(saved, setup_.digest));
  }

  void show_round(const bfs::SearchState& state) {
    if (setup_.options.strategy != bfs::StrategyKind::kHillClimb) {
      std::string text = format("round %llu: %zu flips, %zu bytes, fitness %+.4f",
                                static_cast<unsigned long long>(state.round), state.accepted.size(),
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

  void show_draw(const bfs::SearchState& state) {
    progress_.update(
        format("draw %llu  fitness %+.4f  %zu flips", static_cast<unsigned long long>(state.round),
               state.fitness.fitness, state.accepted.size()),
        static_cast<double>(state.round) / static_cast<double>(context_->options().iterations));
  }

  // The first failure to write is kept: the search goes on, and the program ends with it.
  void note(const Status& status) {
    if (!status.ok() && write_status_.ok()) write_status_ = status;
  }

  // Rank 0 alone: writes and prints the result.
  Status finish(Stop stop) {
    BANKAI_RETURN_IF_ERROR(write_status_);
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
    BANKAI_ASSIGN_OR_RETURN(
        const SearchReport report,
        make_report(*context_, setup_.data, held_out_ ? &*held_out_ : nullptr, transformer_, state_,
                    {setup_.model_hash, seconds(), communicator_.size()}));
    const bool generalises = !report.held_out || report.held_out->generalises();
    const std::string written = generalises ? setup_.files.output : std::string();
    if (!written.empty())
      BANKAI_RETURN_IF_ERROR(patch::write_patch(
          report.patch, written, line_.force() ? Overwrite::kReplace : Overwrite::kRefuse));
    print_report(report, line_.json(), written);
    if (!generalises)
      return Error{ErrorCode::kNoSolution,
                   "the patch does not improve the held-out data, so it was not written"};
    return {};
  }

  const CommandLine& line_;
  Setup setup_;
  mpi::Communicator& communicator_;
  bool is_root_;
  Progress progress_;
  model::Transformer transformer_;
  std::unique_ptr<bfs::SearchContext> context_;
  std::optional<bfs::HeldOut> held_out_;
  bfs::SearchState state_;
  Stopwatch clock_;
  Status write_status_;
};

Status search(const CommandLine& line, mpi::Communicator& communicator) {
  watch_for_interrupts();  // also while a large model loads
  Setup setup;
  BANKAI_RETURN_IF_ERROR(
      mpi::agree(communicator, read_options(line, mpi::cores_for_this_rank(communicator), setup)));
  Result<std::unique_ptr<model::Model>> model =
      load_shared_model(line.get<std::string>("model"), setup.load, communicator);
  BANKAI_RETURN_IF_ERROR(mpi::agree(communicator, model.ok() ? Status() : Status(model.error())));
  setup.model = std::move(model).value();
  BANKAI_RETURN_IF_ERROR(mpi::agree(communicator, set_up(line, setup)));
  BANKAI_RETURN_IF_ERROR(
      mpi::all_equal(communicator, setup.digest, "the model, the data or an option"));
  return Run(line, std::move(setup), communicator).run();
}

}  // namespace
}  // namespace bankai::cli

int main(int argc, char** argv) {
  using namespace bankai;  // NOLINT(google-build-using-namespace): main lies outside
  cli::CommandLine line(cli::kProgram, cli::kSynopsis);
  cli::add_search_options(line);
  bool proceed = false;
  const int parsed = cli::run_program(cli::kProgram, [&]() -> Status {
    BANKAI_ASSIGN_OR_RETURN(proceed, line.parse(argc, argv));
    return {};
  });
  if (parsed != 0 || !proceed) return parsed;
  std::unique_ptr<mpi::Session> session;
  const int started = cli::run_program(cli::kProgram, [&]() -> Status {
    BANKAI_ASSIGN_OR_RETURN(session, mpi::start_session());
    return {};
  });
  if (started != 0) return started;
  // Errors of the work are agreed on by all ranks, so that one of them tells and all give its exit
  // code.
  Status status;
  const int ran = cli::run_program(cli::kProgram, [&]() -> Status {
    status = cli::search(line, session->communicator());
    return session->communicator().rank() == 0 ? status : Status();
  });
  return status.ok() ? ran : exit_code(status.error().code);
}
