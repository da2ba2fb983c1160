// Which of the ops for codes (KernelTable::packed_scores, packed_values) is that of so many bits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "kernels/kernel_table.h"

namespace bankai::model {

// REQUIRES: bits of kernels::kKvCodeBits.
inline std::size_t code_op(std::size_t bits) {
  return static_cast<std::size_t>(
      std::find(std::begin(kernels::kKvCodeBits), std::end(kernels::kKvCodeBits), bits) -
      std::begin(kernels::kKvCodeBits));
}

}  // namespace bankai::model
