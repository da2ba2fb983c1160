// How much each row and column of every matrix matters to the loss on known text: mean squares of
// the gradients of outputs and of the inputs, collected in one backward pass.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <vector>

#include "core/tensor_address.h"
#include "model/model.h"
#include "model/scoring.h"
#include "model/transformer.h"
#include "packer/lossy_tensor.h"
#include "packer/weight_exchange.h"

namespace bankai::packer {

using MatrixImportance = std::map<TensorAddress, TensorImportance>;

// Per target of the sequences, so that sums of importance · error² are nats per target. Of an
// untied embedding: how often each token is read, with inputs that all count alike. Tied ones count
// as heads. Memory: that of a backward pass over 1024 tokens. The same bits for any number of
// threads.
MatrixImportance measure_importance(const model::Model& model, const kernels::KernelTable& table,
                                    model::ForwardOptions options,
                                    std::span<const model::ScoredSequence> sequences);

// The importance of a tensor of the file: that of its matrices, one below the other.
TensorImportance tensor_importance(const MatrixImportance& matrices, const WeightExchange& weights,
                                   std::size_t tensor, std::size_t num_rows);

}  // namespace bankai::packer
