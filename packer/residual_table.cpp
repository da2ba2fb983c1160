#include "packer/residual_table.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "packer/context_model.h"

namespace bankai::packer {
namespace {

constexpr unsigned kBellPrecision = 14;
constexpr unsigned kWidthBits = 6;
constexpr unsigned kEscapeBits = 2;
// 256 · 2^(k / 8): the widths of an octave in 1/1024.
constexpr std::array<std::int32_t, 8> kOctave = {256, 279, 304, 332, 362, 395, 431, 470};
constexpr std::array<unsigned, 4> kEscapeShift = {14, 10, 7, 4};

}  // namespace

FrequencyTable bell_table(const ResidualBell& bell) {
  const std::int32_t width = kOctave[bell.width_code % 8] << (bell.width_code / 8);
  std::array<std::uint64_t, kResidualSymbols> weights{};
  const auto& sigma = probability_table();
  for (std::int32_t h = -kMaxResidual; h <= kMaxResidual; ++h) {
    // The density of the logistic distribution at the middle of [h, h + 1).
    const std::int32_t t = std::min(kMaxLogit, std::abs(2 * h + 1) * 16 * 1024 / width);
    weights[static_cast<std::size_t>(h + kMaxResidual)] =
        std::uint64_t{sigma[static_cast<std::size_t>(kMaxLogit + t)]} *
        sigma[static_cast<std::size_t>(kMaxLogit - t)];
  }
  const std::uint64_t sum = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  weights[kResidualEscape] = (sum >> kEscapeShift[bell.escape_code]) + 1;
  return FrequencyTable::from_weights(weights, kBellPrecision);
}

FrequencyTable write_best_residual_table(std::span<const std::uint64_t, kResidualSymbols> counts,
                                         BitWriter& writer) {
  ResidualBell best;
  std::uint64_t least = ~std::uint64_t{0};
  for (unsigned escape = 0; escape < 1U << kEscapeBits; ++escape)
    for (unsigned width = 0; width < 1U << kWidthBits; ++width) {
      const std::uint64_t cost = bell_table({width, escape}).cost(counts);
      if (cost >= least) continue;
      least = cost;
      best = {width, escape};
    }
  FrequencyTable table = FrequencyTable::best_for_counts(counts);
  const bool has_bell = least + ((kWidthBits + kEscapeBits) << 16U) <=
                        table.cost(counts) + (std::uint64_t{table.size_bits()} << 16U);
  writer.write(has_bell ? 1 : 0, 1);
  if (!has_bell) {
    table.write(writer);
    return table;
  }
  writer.write(best.width_code, kWidthBits);
  writer.write(best.escape_code, kEscapeBits);
  return bell_table(best);
}

Result<FrequencyTable> read_residual_table(BitReader& reader) {
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t has_bell, reader.read(1));
  if (has_bell == 0) return FrequencyTable::read(reader, kResidualSymbols);
  ResidualBell bell;
  BANKAI_ASSIGN_OR_RETURN(bell.width_code, reader.read(kWidthBits));
  BANKAI_ASSIGN_OR_RETURN(bell.escape_code, reader.read(kEscapeBits));
  return bell_table(bell);
}

}  // namespace bankai::packer
