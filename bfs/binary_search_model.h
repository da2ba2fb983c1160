// A strictly binary model as a search sees it (docs/binary_models.md). Its tokens are characters.
#pragma once

#include <memory>
#include <string>

#include "bfs/search_model.h"
#include "model/binary_transformer.h"

namespace bankai::bfs {

// References must outlive it. `name`: for reports. Errors: kUnsupported for a vocabulary that is
// not one of characters.
Result<std::unique_ptr<SearchModel>> make_binary_search_model(const model::BinaryModel& model,
                                                              const kernels::KernelTable& table,
                                                              const model::BinaryOptions& options,
                                                              double logit_scale, std::string name);

}  // namespace bankai::bfs
