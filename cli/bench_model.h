// The model that bankai-bench measures: a file, or one with random weights made for the occasion.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cli/bench_options.h"
#include "cli/progress.h"
#include "core/atomic_file.h"
#include "model/model.h"

namespace bankai::cli {

struct BenchModel {
  std::string name;  // the file, or "random-" and the shape
  std::unique_ptr<model::Model> model;
  double load_seconds = 0.0;
};

// A random model is written to --save, or to a temporary file that is gone when this returns (the
// memory stays mapped). Errors: those of Model::load and of writing.
Result<BenchModel> open_bench_model(const BenchOptions& options, const model::LoadOptions& load,
                                    Overwrite overwrite, Progress& progress);

// Multiply-adds of one token in all layers; and of the head.
std::uint64_t layer_weights(const model::Model& model);
std::uint64_t head_weights(const model::Model& model);
// What one token reads of memory: all matrices of the layers, and the head, in the layout of the
// kernels.
std::uint64_t weight_bytes_per_token(const model::Model& model);

}  // namespace bankai::cli
