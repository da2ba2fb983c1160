// A strictly binary model as a search sees it (docs/binary_models.md). Its tokens are characters.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bfs/search_model.h"
#include "bfs/search_options.h"
#include "model/binary_transformer.h"

namespace bankai::bfs {

// One token for each byte, and nothing to merge. Errors: kUnsupported for a vocabulary that is not
// one of characters.
Result<model::Tokenizer> character_tokenizer(std::size_t vocabulary);

// References must outlive it. `name`: for reports. Errors: kUnsupported for a vocabulary that is
// not one of characters.
Result<std::unique_ptr<SearchModel>> make_binary_search_model(const model::BinaryModel& model,
                                                              const kernels::KernelTable& table,
                                                              const model::BinaryOptions& options,
                                                              double logit_scale, std::string name);

// Errors: kBadInput for a text with other characters than the model's.
Status check_binary_data(const SearchData& data, std::size_t vocabulary);

}  // namespace bankai::bfs
