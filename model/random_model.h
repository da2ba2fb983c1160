// Models of known shapes with random weights: for benchmarks and tests where a model's size
// matters and its answers do not.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/atomic_file.h"
#include "core/result.h"

namespace bankai::model {

// A Qwen3 transformer; the fields are those of Hyperparameters.
struct ModelShape {
  std::string_view name;
  std::uint32_t num_layers = 0;
  std::uint32_t embedding = 0;
  std::uint32_t feed_forward = 0;
  std::uint32_t num_heads = 0;
  std::uint32_t num_kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t vocabulary = 0;
  bool tied = true;  // the head is the token embedding
  std::uint32_t context = 0;
  float rope_freq_base = 1e6F;
  float yarn_factor = 0.0F;  // 0: no YaRN
  std::uint32_t yarn_original_context = 0;
};

// The shapes of the published 1-bit models (and of Qwen3-0.6B): 0.6b, 1.7b, 4b, 8b.
std::span<const ModelShape> model_shapes();
// nullptr for a name that is not in the list.
const ModelShape* find_shape(std::string_view name);

// Bytes written so far, of how many.
using WriteProgress = std::function<void(std::uint64_t written, std::uint64_t total)>;

// Writes a loadable GGUF: every matrix Q1_0 with random bits and scales near 1 / sqrt(columns),
// norms F32 near 1, a synthetic vocabulary. A pure function of (shape, seed). Streams: needs tens
// of megabytes of memory. `progress` may be null.
// Errors: kUsage for a shape that cannot be written, and those of AtomicFile.
Status write_random_model(const ModelShape& shape, std::uint64_t seed, const std::string& path,
                          Overwrite overwrite, const WriteProgress& progress);

}  // namespace bankai::model
