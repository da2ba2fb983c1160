// From rows in a file's layout to panels (kernels/panels.h). Exact: a panel holds the same weights
// and scales.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "kernels/matmul.h"
#include "kernels/panels.h"

namespace bankai::kernels {

// The format of a type's panels; nullopt for float types, which are multiplied as they are.
std::optional<PanelFormat> panel_format_of(TensorType type);

// Writes panels [first_panel, first_panel + count) of the rows to `lines` (count panels of
// panel_bytes, 64-byte aligned), whatever was there. Different panels may be written from different
// threads. REQUIRES: the type has a panel format, cols is a multiple of 128.
void pack_panels(const WeightRows& weights, std::size_t first_panel, std::size_t count,
                 std::uint8_t* lines);

}  // namespace bankai::kernels
