// Search states as bytes (docs/formats/checkpoint.md).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bfs/search_state.h"
#include "core/result.h"
#include "core/sha256.h"

namespace bankai::bfs {

// `config`: digest of everything that the result depends on.
std::vector<std::byte> encode_checkpoint(const SearchState& state, const Sha256Digest& config);

// `space_size`: candidates of the search; ids beyond it are damage. Errors: kBadInput for damaged
// bytes; kMismatch if they belong to another model, other data or options. The message has no file
// name.
Result<SearchState> decode_checkpoint(std::span<const std::byte> bytes, const Sha256Digest& config,
                                      CandidateId space_size);

}  // namespace bankai::bfs
