// Running a model in the ways that must all give the same logits.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/dispatch.h"
#include "model/kv_cache.h"
#include "model/transformer.h"

namespace bankai::model {

inline const kernels::KernelTable& best_kernels() { return **kernels::select_kernel(""); }

// The tables that this machine can run.
inline std::vector<const kernels::KernelTable*> runnable_kernels() {
  std::vector<const kernels::KernelTable*> tables;
  for (const kernels::KernelTable* table : kernels::all_kernels())
    if (kernels::is_supported(*table)) tables.push_back(table);
  return tables;
}

inline ForwardOptions a8() { return forward_options(kernels::ActivationMode::kA8, 1); }
inline ForwardOptions a16() { return forward_options(kernels::ActivationMode::kA16, 1); }

// Logits (tokens, vocabulary) of a block that consists of `segments`.
inline std::vector<float> block_logits(Transformer& transformer, std::span<const TokenId> tokens,
                                       std::span<const Segment> segments,
                                       const Replacements& replacements = {}) {
  const Hyperparameters& h = transformer.model().parameters();
  std::vector<float> x(tokens.size() * h.embedding);
  std::vector<float> logits(tokens.size() * h.vocabulary);
  transformer.embed(tokens, replacements, x.data());
  transformer.run_layers(0, h.num_layers, segments, replacements, x.data());
  transformer.logits(tokens.size(), x.data(), replacements, logits.data());
  return logits;
}

// One sequence in one block, without a cache.
inline std::vector<float> sequence_logits(Transformer& transformer, std::span<const TokenId> tokens,
                                          const Replacements& replacements = {}) {
  const Segment whole{0, tokens.size(), nullptr, 0};
  return block_logits(transformer, tokens, {&whole, 1}, replacements);
}

inline std::vector<float> sequence_logits(const Model& model, std::span<const TokenId> tokens,
                                          ForwardOptions options,
                                          const Replacements& replacements = {}) {
  Transformer transformer(model, best_kernels(), options);
  return sequence_logits(transformer, tokens, replacements);
}

}  // namespace bankai::model
