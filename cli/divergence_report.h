// The figures of --kl-divergence, for people or as JSON.
#pragma once

#include <cstddef>
#include <string>

#include "model/divergence.h"

namespace bankai::cli {

// One way of running a model.
struct ComparedSide {
  std::string activations;
  std::string kv;
  std::size_t kv_bytes = 0;  // per token
};

// On standard output. `context`: tokens of a chunk.
void print_divergence(const model::DivergenceResult& result, const ComparedSide& reference,
                      const ComparedSide& side, std::size_t context, bool json);

}  // namespace bankai::cli
