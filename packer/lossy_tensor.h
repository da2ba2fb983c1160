// Carries a lossy step out on a tensor, and estimates what it does to the model's output.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/result.h"
#include "kernels/matmul.h"
#include "packer/lossy_step.h"

namespace bankai::packer {

// How much a change of a weight matters: a change w → w + e of weight (r, c) adds about
// ½ · rows[r] · cols[c] · e² to the loss. That is the diagonal of the Fisher information, a product
// of the mean squares of the gradient of output r and of input c (as in K-FAC: Martens and Grosse
// 2015). An empty vector counts as ones.
struct TensorImportance {
  std::vector<double> rows, cols;
  std::vector<bool> is_row_used;  // of token tables: which tokens occur; empty: all

  double row(std::size_t r) const { return rows.empty() ? 1.0 : rows[r]; }
  double col(std::size_t c) const { return cols.empty() ? 1.0 : cols[c]; }
};

struct LossyTensor {
  kernels::TensorType type = kernels::TensorType::kF32;
  std::vector<std::byte> bytes;

  kernels::WeightRows weights(std::size_t rows, std::size_t cols) const;
};

// The tensor after the step. The same bytes for any number of threads. Errors, unnamed: those of
// encode_tensor. REQUIRES: the step is one of lossy_steps() for this tensor.
Result<LossyTensor> apply_step(const kernels::WeightRows& tensor, const LossyStep& step,
                               const TensorImportance& importance, int threads);

// Σ ½ · rows[r] · cols[c] · (difference)² over all weights, summed row by row.
double estimated_loss(const kernels::WeightRows& before, const kernels::WeightRows& after,
                      const TensorImportance& importance, int threads);

}  // namespace bankai::packer
