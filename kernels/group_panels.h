// One group of 128 columns of a matrix by itself, as panels: its product with the same group of the
// activations (ActivationBlock::take_group) is the share that the group has in every sum,
//   out[t · out_stride + r] = float(s) · (d · scale_g)
// rounded once, before the canonical product chains it to the groups in front of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/panels.h"

namespace bankai::kernels {

// How many PanelLine a group of these weights takes.
std::size_t group_lines(const Panels& weights);

// Copies column group `group` to `lines` (group_lines, 64-byte aligned) and returns panels of
// (rows, 128) there. REQUIRES: group is below cols / 128.
Panels slice_group(const Panels& weights, std::size_t group, std::uint8_t* lines);

}  // namespace bankai::kernels
