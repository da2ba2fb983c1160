// Products with transposed weights: from the gradient of what a matrix puts out to that of what it
// takes in.
#pragma once

#include <cstddef>

#include "kernels/kernel_table.h"
#include "model/row_overlay.h"

namespace bankai::model {

// out (tokens, cols) = the matrix, with the overlay's rows, transposed, times gradient (tokens,
// rows). One-bit matrices: KernelTable::gemm_transposed, with 16-bit gradients if `fine`; all
// others: sums of fma over the rows in ascending order. The same bits for any number of threads.
void multiply_transposed(const kernels::KernelTable& table, int threads, const WeightMatrix& matrix,
                         const RowOverlay& overlay, std::size_t tokens, const float* gradient,
                         bool fine, float* out);

}  // namespace bankai::model
