// The orders in which programs write the codes of an I2_S tensor. Nothing in a file tells them
// apart. This program computes with the first one (kernels/ternary_blocks.h); tensors in another
// order are rearranged before anything else reads them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bankai::kernels {

enum class I2sLayout : std::uint8_t {
  // Byte p of 32: weights p, p + 32, p + 64, p + 96 of 128, from the highest bits down. Microsoft's
  // converters and published files.
  kRuns128,
  // Byte p of 16: weights p, p + 16, p + 32, p + 48 of 64. BitNet's packer on ARM.
  kRuns64,
  // Byte c of 4 rows together: their weights of column c, the first row highest. BitNet's packer on
  // x86 without ACT_PARALLEL.
  kFourRows,
};

struct I2sLayoutInfo {
  I2sLayout layout;
  std::string_view name;
  std::size_t rows_at_once = 1;  // a tensor has a multiple of them
};

inline constexpr std::array<I2sLayoutInfo, 3> kI2sLayouts = {{
    {I2sLayout::kRuns128, "128/32"},
    {I2sLayout::kRuns64, "64/16"},
    {I2sLayout::kFourRows, "4-row", 4},
}};

// nullptr for another name.
constexpr const I2sLayoutInfo* find_i2s_layout(std::string_view name) {
  for (const I2sLayoutInfo& info : kI2sLayouts)
    if (info.name == name) return &info;
  return nullptr;
}

constexpr const I2sLayoutInfo& i2s_layout_info(I2sLayout layout) {
  return kI2sLayouts[static_cast<std::size_t>(layout)];
}

// "128/32, …": for messages.
inline std::string i2s_layout_names() {
  std::string names;
  for (const I2sLayoutInfo& info : kI2sLayouts)
    names.append(names.empty() ? "" : ", ").append(info.name);
  return names;
}

// The codes of a whole tensor, (rows, cols / 4) bytes, from `layout` to kRuns128. REQUIRES: cols is
// a multiple of 128, rows one of rows_at_once; `out` does not overlap `codes`.
void rearrange_i2_s(I2sLayout layout, const std::uint8_t* codes, std::size_t rows, std::size_t cols,
                    std::uint8_t* out);

}  // namespace bankai::kernels
