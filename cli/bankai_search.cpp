// bankai-search: finds a patch that improves targets without hurting controls, on one process or
// many.
#include <memory>

#include "cli/interrupt.h"
#include "cli/search_atlas.h"
#include "cli/search_run.h"
#include "mpi/session.h"

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

Status search(const CommandLine& line, mpi::Communicator& communicator) {
  watch_for_interrupts();  // also while a large model loads
  if (line.has("merge-atlas")) return merge_atlas_files(line, communicator);
  BANKAI_ASSIGN_OR_RETURN(const SearchSetup setup, set_up_search(line, communicator));
  return SearchRun(line, setup, communicator).run();
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
