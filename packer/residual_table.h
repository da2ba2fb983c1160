// The frequencies of prediction errors: a logistic bell of which only the width is stored, or a
// table. Symbol 127 + h stands for the error h in −127 … 127, symbol 255 for all others.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/result.h"
#include "packer/bit_stream.h"
#include "packer/frequency_table.h"

namespace bankai::packer {

inline constexpr std::size_t kResidualSymbols = 256;
inline constexpr std::int32_t kMaxResidual = 127;
inline constexpr std::uint8_t kResidualEscape = 255;

struct ResidualBell {
  unsigned width_code = 0;   // 0 to 63: width = 2^(width_code / 8) / 4
  unsigned escape_code = 0;  // 0 to 3: escapes have 2^-14, 2^-10, 2^-7, 2^-4 of the rest's share
};

FrequencyTable bell_table(const ResidualBell& bell);

// Whichever takes the fewest bits for symbols that occur `counts` times, written to `writer`.
// REQUIRES: not all counts are 0.
FrequencyTable write_best_residual_table(std::span<const std::uint64_t, kResidualSymbols> counts,
                                         BitWriter& writer);
Result<FrequencyTable> read_residual_table(BitReader& reader);

}  // namespace bankai::packer
