#include "model/weight_panels.h"

#include <algorithm>

#include "kernels/panel_packing.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 24U;  // packed and released together

void pack_matrix(const GgufFile& file, const kernels::WeightRows& weights,
                 kernels::PanelFormat format, std::uint8_t* lines, int threads) {
  const std::size_t panel_bytes = kernels::panel_bytes(format, weights.cols);
  const std::size_t piece = std::max<std::size_t>(1, kPieceBytes / panel_bytes);
  const std::size_t panels = kernels::num_panels(weights.rows);
  for (std::size_t first = 0; first < panels; first += piece) {
    const std::size_t count = std::min(piece, panels - first);
    parallel_for(threads, count, [&](IndexRange range) {
      kernels::pack_panels(weights, first + range.begin, range.size(),
                           lines + (first + range.begin) * panel_bytes);
    });
    const std::size_t first_row = first * kernels::kPanelRows;
    const std::size_t last_row = std::min(weights.rows, (first + count) * kernels::kPanelRows);
    file.release(std::as_bytes(std::span(weights.data + first_row * weights.row_bytes,
                                         (last_row - first_row) * weights.row_bytes)));
  }
}

}  // namespace

Result<PageMemory> pack_weights(const GgufFile& file, std::span<WeightMatrix* const> matrices,
                                const LoadOptions& options) {
  std::size_t total = 0;
  for (WeightMatrix* matrix : matrices) {
    const kernels::WeightRows& weights = matrix->weights;
    const auto format = kernels::panel_format_of(weights.type);
    if (!format) continue;
    matrix->panels = {*format, nullptr, weights.rows, weights.cols};
    total += kernels::panels_bytes(matrix->panels);
  }
  const bool is_packed = !options.panels_name.empty();
  BANKAI_ASSIGN_OR_RETURN(PageMemory memory, is_packed ? PageMemory::map(options.panels_name, total)
                                             : options.share ? PageMemory::allocate_shared(total)
                                                             : PageMemory::allocate(total));
  auto* lines = reinterpret_cast<std::uint8_t*>(memory.bytes().data());
  for (WeightMatrix* matrix : matrices) {
    const kernels::WeightRows& weights = matrix->weights;
    const auto format = kernels::panel_format_of(weights.type);
    if (!format) continue;
    matrix->panels.lines = lines;
    if (!is_packed) pack_matrix(file, weights, *format, lines, options.threads);
    lines += kernels::panels_bytes(matrix->panels);
  }
  return memory;
}

}  // namespace bankai::model
