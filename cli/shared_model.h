// One copy of a model's packed weights for all ranks of a node.
#pragma once

#include <memory>
#include <string>

#include "core/result.h"
#include "model/model.h"
#include "mpi/communicator.h"

namespace bankai::cli {

// Collective. On each node the first rank packs the weights and the others map them; where that is
// not possible (ranks in separate containers, no shared memory) a rank packs its own. Errors are
// those of load_model, each rank's own.
Result<std::unique_ptr<model::Model>> load_shared_model(const std::string& path,
                                                        model::LoadOptions options,
                                                        mpi::Communicator& communicator);

}  // namespace bankai::cli
