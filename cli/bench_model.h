// The model that bankai-bench measures: a file, or one with random weights made for the occasion.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cli/bench_options.h"
#include "cli/model_kind.h"
#include "cli/progress.h"
#include "core/atomic_file.h"
#include "model/model.h"

namespace bankai::cli {

// By the content of the file (or of a pack of it), or by which random model is asked for. Errors:
// those of detect_model_kind.
Result<ModelKind> bench_model_kind(const BenchOptions& options);

// What a binary model is called: the file, or "random " and the shape.
std::string bench_name(const BenchOptions& options);

// That this file is all that was asked for, on standard output. Errors: kIo.
Status report_written(const std::string& name, const std::string& path, bool json);

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
