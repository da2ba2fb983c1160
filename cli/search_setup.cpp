#include "cli/search_setup.h"

#include "bfs/search_digest.h"
#include "cli/model_options.h"
#include "cli/shared_model.h"
#include "mpi/agreement.h"
#include "mpi/core_share.h"

namespace bankai::cli {
namespace {

// What needs no model.
Status read_options(const CommandLine& line, int default_threads, SearchSetup& setup) {
  BANKAI_ASSIGN_OR_RETURN(setup.files, read_search_files(line));
  BANKAI_ASSIGN_OR_RETURN(const kernels::ActivationMode mode, read_activation_mode(line));
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(default_threads));
  BANKAI_ASSIGN_OR_RETURN(setup.table, line.kernel());
  BANKAI_ASSIGN_OR_RETURN(setup.load, read_load_options(line, threads));
  setup.forward = model::forward_options(mode, threads);
  return {};
}

Status set_up(const CommandLine& line, SearchSetup& setup) {
  BANKAI_ASSIGN_OR_RETURN(setup.options, read_search_options(line, *setup.model));
  setup.options.only_ranks = setup.files.check_ranking == 0U;
  BANKAI_ASSIGN_OR_RETURN(setup.data, read_search_data(line));
  setup.model_hash = bfs::hash_model(setup.model->file());
  setup.digest =
      bfs::hash_search(setup.model_hash, setup.forward.activations, setup.options, setup.data);
  return {};
}

}  // namespace

Result<SearchSetup> set_up_search(const CommandLine& line, mpi::Communicator& communicator) {
  SearchSetup setup;
  BANKAI_RETURN_IF_ERROR(
      mpi::agree(communicator, read_options(line, mpi::cores_for_this_rank(communicator), setup)));
  Result<std::unique_ptr<model::Model>> model =
      load_shared_model(line.get<std::string>("model"), setup.load, communicator);
  BANKAI_RETURN_IF_ERROR(mpi::agree(communicator, model.ok() ? Status() : Status(model.error())));
  setup.model = std::move(model).value();
  BANKAI_RETURN_IF_ERROR(mpi::agree(communicator, set_up(line, setup)));
  BANKAI_RETURN_IF_ERROR(
      mpi::all_equal(communicator, setup.digest, "the model, the data or an option"));
  return setup;
}

}  // namespace bankai::cli
