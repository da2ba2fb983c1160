// What every rank of a search sets up for itself: options, data, model.
#pragma once

#include <memory>

#include "bfs/search_model.h"
#include "bfs/search_options.h"
#include "cli/command_line.h"
#include "cli/search_arguments.h"
#include "core/sha256.h"
#include "model/binary_model.h"
#include "model/binary_residual_model.h"
#include "model/model.h"
#include "model/transformer.h"
#include "mpi/communicator.h"

namespace bankai::cli {

struct SearchSetup {
  SearchFiles files;
  bfs::SearchData data;
  bfs::SearchOptions options;
  model::LoadOptions load;
  std::unique_ptr<model::Model> model;  // and what runs it; null for
  std::unique_ptr<model::Transformer> transformer;
  std::unique_ptr<model::BinaryModel> binary;            // strictly binary models
  std::unique_ptr<model::BinaryResidualModel> residual;  // those with a float residual
  std::unique_ptr<bfs::SearchModel> searched;            // one of the three
  const kernels::KernelTable* table = nullptr;
  model::ForwardOptions forward;
  Sha256Digest model_hash;
  Sha256Digest digest;  // of everything that the result depends on
};

// Collective. Errors are the same on all ranks: kUsage, those of the model and of the data, and
// kMismatch if ranks do not have the same.
Result<SearchSetup> set_up_search(const CommandLine& line, mpi::Communicator& communicator);

}  // namespace bankai::cli
