#include "packer/frequency_table.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/check.h"
#include "core/format.h"
#include "kernels/scalar_math.h"

namespace bankai::packer {
namespace {

constexpr unsigned kMaxOrder = 15;

std::vector<std::uint32_t> make_bit_costs() {
  std::vector<std::uint32_t> costs(65537);
  constexpr double kPerNat = 65536.0 / 0.693147180559945309417;
  for (std::uint32_t i = 1; i <= 65536; ++i)
    costs[i] =
        static_cast<std::uint32_t>((11.090354888959125 - kernels::log_f64(i)) * kPerNat + 0.5);
  return costs;
}

}  // namespace

std::uint32_t bits_q16(std::uint32_t numerator) {
  static const std::vector<std::uint32_t> costs = make_bit_costs();
  return costs[numerator];
}

FrequencyTable::FrequencyTable(std::vector<std::uint32_t> frequencies, unsigned precision)
    : frequencies_(std::move(frequencies)), starts_(frequencies_.size()), precision_(precision) {
  std::exclusive_scan(frequencies_.begin(), frequencies_.end(), starts_.begin(), 0U);
}

FrequencyTable FrequencyTable::from_weights(std::span<const std::uint64_t> weights,
                                            unsigned precision) {
  BANKAI_CHECK(!weights.empty() && weights.size() <= 256, "a table of 1 to 256 symbols");
  const std::uint64_t total = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  BANKAI_CHECK(total != 0, "no symbol occurs");
  // Within 64 bits: weights stay below 2^40, scaled down to leave room for 16 bits.
  const std::uint64_t whole = std::uint64_t{1} << precision;
  std::vector<std::uint32_t> frequencies(weights.size());
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    frequencies[i] = static_cast<std::uint32_t>(
        std::max<std::uint64_t>(1, (weights[i] * whole + total / 2) / total));
    sum += frequencies[i];
  }
  // The excess is taken from, or what is missing given to, the largest, which rounding hurts least.
  while (sum != whole) {
    const auto largest = std::max_element(frequencies.begin(), frequencies.end());
    if (sum < whole) {
      *largest += static_cast<std::uint32_t>(whole - sum);
      sum = whole;
    } else {
      const std::uint64_t taken = std::min<std::uint64_t>(sum - whole, *largest / 2);
      *largest -= static_cast<std::uint32_t>(taken);
      sum -= taken;
    }
  }
  return FrequencyTable(std::move(frequencies), precision);
}

FrequencyTable FrequencyTable::best_for_counts(std::span<const std::uint64_t> counts) {
  FrequencyTable best = from_weights(counts, 10);
  std::uint64_t best_cost = best.cost(counts) + (std::uint64_t{best.size_bits()} << 16U);
  for (const unsigned precision : {12U, 14U, 16U}) {
    FrequencyTable table = from_weights(counts, precision);
    const std::uint64_t cost = table.cost(counts) + (std::uint64_t{table.size_bits()} << 16U);
    if (cost >= best_cost) continue;
    best = std::move(table);
    best_cost = cost;
  }
  return best;
}

// The Golomb order with which the frequencies take the fewest bits.
unsigned FrequencyTable::best_order() const {
  unsigned best = 0;
  std::uint64_t best_bits = ~std::uint64_t{0};
  for (unsigned order = 0; order <= kMaxOrder; ++order) {
    std::uint64_t bits = 0;
    for (const std::uint32_t frequency : frequencies_)
      bits += BitWriter::golomb_bits(frequency, order);
    if (bits < best_bits) {
      best_bits = bits;
      best = order;
    }
  }
  return best;
}

unsigned FrequencyTable::size_bits() const {
  const unsigned order = best_order();
  unsigned bits = 8 + 4 + 4;
  for (const std::uint32_t frequency : frequencies_)
    bits += BitWriter::golomb_bits(frequency, order);
  return bits;
}

void FrequencyTable::write(BitWriter& writer) const {
  const unsigned order = best_order();
  writer.write(static_cast<std::uint32_t>(frequencies_.size() - 1), 8);
  writer.write(precision_ - 1, 4);
  writer.write(order, 4);
  for (const std::uint32_t frequency : frequencies_) writer.write_golomb(frequency, order);
}

Result<FrequencyTable> FrequencyTable::read(BitReader& reader, std::size_t max_symbols) {
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t last_symbol, reader.read(8));
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t precision_less_one, reader.read(4));
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t order, reader.read(4));
  const unsigned precision = precision_less_one + 1;
  if (last_symbol >= max_symbols || precision < kMinPrecision)
    return make_error(ErrorCode::kBadInput, "a frequency table of %u symbols and precision %u",
                      last_symbol + 1, precision);
  std::vector<std::uint32_t> frequencies(last_symbol + 1);
  std::uint64_t sum = 0;
  for (std::uint32_t& frequency : frequencies) {
    BANKAI_ASSIGN_OR_RETURN(frequency, reader.read_golomb(order));
    sum += frequency;
  }
  if (sum != std::uint64_t{1} << precision)
    return make_error(ErrorCode::kBadInput, "frequencies add up to %llu instead of 2^%u",
                      static_cast<unsigned long long>(sum), precision);
  return FrequencyTable(std::move(frequencies), precision);
}

std::uint64_t FrequencyTable::cost(std::span<const std::uint64_t> counts) const {
  std::uint64_t cost = 0;
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i] != 0)
      cost += counts[i] * bits_q16(frequencies_[i] << (kMaxPrecision - precision_));
  return cost;
}

std::vector<std::uint8_t> FrequencyTable::symbols_of_slots() const {
  std::vector<std::uint8_t> symbols(std::size_t{1} << precision_);
  for (std::size_t symbol = 0; symbol < frequencies_.size(); ++symbol)
    std::fill_n(symbols.begin() + starts_[symbol], frequencies_[symbol],
                static_cast<std::uint8_t>(symbol));
  return symbols;
}

}  // namespace bankai::packer
