#include "model/transposed_products.h"

#include <algorithm>
#include <vector>

#include "model/parallel.h"
#include "model/patched_panels.h"

namespace bankai::model {
namespace {

constexpr std::size_t kTokenTile = 64;    // tokens that share what a kernel unpacks
constexpr std::size_t kWidenedRows = 32;  // rows widened at a time

void multiply_one_bit(const kernels::KernelTable& table, int threads, const WeightMatrix& matrix,
                      const RowOverlay& overlay, std::size_t tokens, const float* gradient,
                      bool fine, float* out) {
  const PatchedPanels patched(matrix, overlay);
  const kernels::Panels& panels = patched.panels();
  const std::size_t groups = panels.cols / kGroupCols;
  const std::size_t tiles = (tokens + kTokenTile - 1) / kTokenTile;
  parallel_for(threads, tiles * groups, [&](IndexRange range) {
    for (std::size_t item = range.begin; item < range.end;) {
      const std::size_t token = item / groups * kTokenTile;
      const std::size_t group = item % groups;
      const std::size_t num_groups = std::min(groups - group, range.end - item);
      table.gemm_transposed(panels, group, num_groups, gradient + token * panels.rows,
                            std::min(kTokenTile, tokens - token), panels.rows, fine,
                            out + token * panels.cols + group * kGroupCols, panels.cols);
      item += num_groups;
    }
  });
}

void multiply_widened(const kernels::KernelTable& table, int threads, const WeightMatrix& matrix,
                      const RowOverlay& overlay, std::size_t tokens, const float* gradient,
                      float* out) {
  const kernels::WeightRows& weights = matrix.weights;
  parallel_for(threads, tokens, [&](IndexRange range) {
    std::vector<float> widened(kWidenedRows * weights.cols);
    float* sums = out + range.begin * weights.cols;
    std::fill_n(sums, range.size() * weights.cols, 0.0F);
    for (std::size_t row = 0; row < weights.rows; row += kWidenedRows) {
      const std::size_t count = std::min(kWidenedRows, weights.rows - row);
      for (std::size_t i = 0; i < count; ++i) {
        kernels::WeightRows one = weights.slice(row + i, 1);
        if (const std::uint8_t* replaced = overlay.find_row(matrix.address, row + i))
          one.data = replaced;
        kernels::widen_row(one, 0, widened.data() + i * weights.cols);
      }
      // Mixes rows of weights as attention mixes values.
      table.attention_values[static_cast<std::size_t>(kernels::KvType::kF32)](
          gradient + range.begin * weights.rows + row, range.size(), weights.rows, widened.data(),
          weights.cols, count, weights.cols, sums, weights.cols);
    }
  });
}

}  // namespace

void multiply_transposed(const kernels::KernelTable& table, int threads, const WeightMatrix& matrix,
                         const RowOverlay& overlay, std::size_t tokens, const float* gradient,
                         bool fine, float* out) {
  if (matrix.weights.type == kernels::TensorType::kQ1_0)
    multiply_one_bit(table, threads, matrix, overlay, tokens, gradient, fine, out);
  else
    multiply_widened(table, threads, matrix, overlay, tokens, gradient, out);
  if (matrix.scale == 1.0F) return;
  parallel_for(threads, tokens * matrix.weights.cols, [&](IndexRange range) {
    for (std::size_t i = range.begin; i < range.end; ++i) out[i] *= matrix.scale;
  });
}

}  // namespace bankai::model
