// All activations of a strictly binary model over some sequences.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/binary_cache.h"
#include "model/binary_parts.h"
#include "model/binary_transformer.h"

namespace bankai::bfs {

// Tokens are numbered through over all sequences.
struct BinaryTrace {
  std::vector<std::size_t> first;                // token of each sequence, and the number of tokens
  std::vector<model::BinaryCache> caches;        // by sequence
  std::vector<model::BinaryActivations> layers;  // (tokens, words) each
  std::vector<std::uint64_t> top;                // behind the last layer

  std::size_t num_tokens() const { return first.back(); }
};
BinaryTrace trace_binary(model::BinaryTransformer& transformer,
                         std::span<const std::vector<model::TokenId>> sequences);

}  // namespace bankai::bfs
