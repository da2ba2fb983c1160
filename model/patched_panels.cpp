#include "model/patched_panels.h"

#include <algorithm>
#include <cstring>

#include "kernels/panel_packing.h"

namespace bankai::model {

PatchedPanels::PatchedPanels(const WeightMatrix& matrix, const RowOverlay& overlay)
    : panels_(matrix.panels) {
  const RowOverlay::Rows* replaced = overlay.find(matrix.address);
  if (replaced == nullptr) return;
  const std::size_t bytes = kernels::panels_bytes(panels_);
  const std::size_t panel_bytes = kernels::panel_bytes(panels_.format, panels_.cols);
  lines_.resize(bytes / kernels::kLineBytes);
  if (bytes != 0) std::memcpy(lines_.data(), panels_.lines, bytes);
  panels_.lines = lines_.data()->bytes;
  std::vector<std::uint8_t> rows;  // of one panel, in the file's layout
  for (auto next = replaced->begin(); next != replaced->end();) {
    const std::size_t panel = next->first / kernels::kPanelRows;
    const std::size_t first_row = panel * kernels::kPanelRows;
    const std::size_t count = std::min(kernels::kPanelRows, panels_.rows - first_row);
    kernels::WeightRows some = matrix.weights.slice(first_row, count);
    rows.assign(some.data, some.data + count * some.row_bytes);
    for (; next != replaced->end() && next->first < first_row + count; ++next)
      std::copy(
          next->second.begin(), next->second.end(),
          rows.begin() + static_cast<std::ptrdiff_t>((next->first - first_row) * some.row_bytes));
    some.data = rows.data();
    kernels::pack_panels(some, 0, 1, lines_[panel * panel_bytes / kernels::kLineBytes].bytes);
  }
}

}  // namespace bankai::model
