// Models of known shapes with random weights: for benchmarks and tests where a model's size
// matters and its answers do not.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "core/atomic_file.h"
#include "core/result.h"
#include "kernels/tensor_type.h"
#include "model/model_shape.h"

namespace bankai::model {

// Bytes written so far, of how many.
using WriteProgress = std::function<void(std::uint64_t written, std::uint64_t total)>;

// The types that the matrices of a random model can have.
std::span<const kernels::TensorType> random_weight_types();

// Writes a loadable GGUF: every matrix of the given type with random weights of mean 0 and size
// near 1 / sqrt(columns), norms F32 near 1, a synthetic vocabulary. A pure function of (shape,
// type, seed). Streams: needs tens of megabytes of memory. `progress` may be null.
// Errors: kUsage for a shape or a type that cannot be written, and those of AtomicFile.
Status write_random_model(const ModelShape& shape, kernels::TensorType type, std::uint64_t seed,
                          const std::string& path, Overwrite overwrite,
                          const WriteProgress& progress);

}  // namespace bankai::model
