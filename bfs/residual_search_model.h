// A binary model with a float residual as a search sees it (docs/binary_models.md). Its tokens are
// characters.
#pragma once

#include <memory>
#include <string>

#include "bfs/search_model.h"
#include "kernels/kernel_table.h"
#include "model/binary_residual_model.h"

namespace bankai::bfs {

// References must outlive it. `name`: for reports. Errors: kUnsupported for a vocabulary that is
// not one of characters.
Result<std::unique_ptr<SearchModel>> make_residual_search_model(
    const model::BinaryResidualModel& model, const kernels::KernelTable& table, int threads,
    std::string name);

}  // namespace bankai::bfs
