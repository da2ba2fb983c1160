// Frequencies of up to 256 symbols, which add up to a power of two: the static model of an entropy
// coder. All choices are made in integers and in a stated order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "packer/bit_stream.h"

namespace bankai::packer {

inline constexpr unsigned kMinPrecision = 8;
inline constexpr unsigned kMaxPrecision = 16;

class FrequencyTable {
 public:
  // Frequencies in proportion to `weights`, at least 1 where the weight is not 0; what rounding
  // leaves over goes to the largest. REQUIRES: 1 to 256 weights below 2^40, not all 0;
  // 2^precision >= 256.
  static FrequencyTable from_weights(std::span<const std::uint64_t> weights, unsigned precision);
  // The precision of 10, 12, 14 or 16 with which table and data are smallest together.
  static FrequencyTable best_for_counts(std::span<const std::uint64_t> counts);

  // kBadInput for a damaged table or one of more than `max_symbols` symbols.
  static Result<FrequencyTable> read(BitReader& reader, std::size_t max_symbols);
  void write(BitWriter& writer) const;
  unsigned size_bits() const;

  unsigned precision() const { return precision_; }
  std::size_t num_symbols() const { return frequencies_.size(); }
  std::uint32_t frequency(std::size_t symbol) const { return frequencies_[symbol]; }
  std::uint32_t start(std::size_t symbol) const { return starts_[symbol]; }

  // Bits, times 2^16, that symbols which occur counts[i] times take. REQUIRES: as many counts as
  // symbols, each 0 where the frequency is 0.
  std::uint64_t cost(std::span<const std::uint64_t> counts) const;
  // The symbol of each of the 2^precision slots.
  std::vector<std::uint8_t> symbols_of_slots() const;

 private:
  FrequencyTable(std::vector<std::uint32_t> frequencies, unsigned precision);
  unsigned best_order() const;

  std::vector<std::uint32_t> frequencies_;
  std::vector<std::uint32_t> starts_;
  unsigned precision_;
};

// Bits, times 2^16, of a symbol of probability numerator / 2^16: −log2, rounded to nearest.
// REQUIRES: 0 < numerator <= 2^16.
std::uint32_t bits_q16(std::uint32_t numerator);

}  // namespace bankai::packer
