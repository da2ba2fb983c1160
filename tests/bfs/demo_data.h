// The demo model, short lists of its probes, and a small random model, for the tests of this room.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "bfs/probe.h"
#include "bfs/search_options.h"
#include "model/transformer.h"
#include "tests/support/small_model.h"

namespace bankai::bfs {

using testing::demo_model;
// Random weights, 3 layers, several groups in every row, the head tied to the embedding.
const model::Model& tiny_model();
// The same as BitNet b1.58: squared ReLU, sub-norms, a scale for every matrix.
const model::Model& tiny_bitnet_model();

// Probes [first, first + count) of data/demo/probes/NAME.json.
std::vector<Probe> demo_probes(const std::string& name, std::size_t first, std::size_t count);
WeightedData demo_data(const std::string& name, std::size_t first, std::size_t count,
                       double weight = 1.0);

// All 7 matrices of the layers, or those of `projections`.
std::vector<TensorAddress> layer_tensors(const std::vector<std::uint32_t>& layers,
                                         const std::vector<Projection>& projections = {});

// The widest kernels of this machine.
const kernels::KernelTable& best_kernels();
model::Transformer make_transformer(const model::Model& model,
                                    kernels::ActivationMode mode = kernels::ActivationMode::kA16,
                                    int threads = 1,
                                    const kernels::KernelTable& table = best_kernels());

}  // namespace bankai::bfs
