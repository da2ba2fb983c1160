// The identity of a search: what its result depends on, and nothing else.
#pragma once

#include "bfs/search_options.h"
#include "core/sha256.h"
#include "kernels/matmul.h"
#include "model/gguf_file.h"

namespace bankai::bfs {

// SHA-256 of the whole model file.
Sha256Digest hash_model(const model::GgufFile& file);

// Over model, precision, options and the content of all data; independent of ranks, threads,
// kernels and file names. A checkpoint goes on only under the same digest.
Sha256Digest hash_search(const Sha256Digest& model, kernels::ActivationMode mode,
                         const SearchOptions& options, const SearchData& data);

}  // namespace bankai::bfs
