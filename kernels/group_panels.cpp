#include "kernels/group_panels.h"

#include <cstring>

#include "core/check.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kGroupCols = 128;

}  // namespace

std::size_t group_lines(const Panels& weights) {
  return num_panels(weights.rows) * panel_bytes(weights.format, kGroupCols) / kLineBytes;
}

Panels slice_group(const Panels& weights, std::size_t group, std::uint8_t* lines) {
  BANKAI_CHECK(group < weights.cols / kGroupCols, "column group out of range");
  const std::size_t bytes = panel_bytes(weights.format, kGroupCols);
  const std::size_t panel_stride = panel_bytes(weights.format, weights.cols);
  const std::uint8_t* from = weights.lines + group * bytes;
  for (std::size_t panel = 0; panel < num_panels(weights.rows); ++panel)
    std::memcpy(lines + panel * bytes, from + panel * panel_stride, bytes);
  return {weights.format, lines, weights.rows, kGroupCols};
}

}  // namespace bankai::kernels
