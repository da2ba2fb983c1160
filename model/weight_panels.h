// The matrices of a model in the layout of the kernels (kernels/panels.h), made once when it is
// loaded.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "core/page_memory.h"
#include "core/result.h"
#include "kernels/i2_s_layouts.h"
#include "model/gguf_file.h"
#include "model/weight_matrix.h"

namespace bankai::model {

struct LoadOptions {
  int threads = 1;  // that pack the weights
  // One copy for several processes on a machine: one of them loads with `share`, the others with
  // its Model::panels_name().
  bool share = false;
  std::string panels_name = {};
  // The layout of I2_S tensors; nullopt: as 128/32, with a warning (Model::warnings).
  std::optional<kernels::I2sLayout> i2s_layout = {};
};

// Packs the matrices that have a panel format into one block of memory and points their `panels` to
// it, or maps the block that another process has packed. What was read from the file is released
// piece by piece: memory peaks at the block and a part of one matrix. Errors: those of PageMemory.
Result<PageMemory> pack_weights(const GgufFile& file, std::span<WeightMatrix* const> matrices,
                                const LoadOptions& options);

}  // namespace bankai::model
