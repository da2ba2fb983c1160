#include "packer/symbol_coder.h"

#include "packer/rans.h"

namespace bankai::packer {
namespace {

struct SymbolInterval {
  std::uint16_t start;
  std::uint16_t frequency_less_one;  // so that 2^16 fits
};

class SymbolDecoder {
 public:
  explicit SymbolDecoder(const FrequencyTable& table)
      : precision_(table.precision()),
        mask_((1U << precision_) - 1U),
        symbols_(table.symbols_of_slots()),
        intervals_(256) {
    for (std::size_t i = 0; i < table.num_symbols(); ++i)
      if (table.frequency(i) != 0)
        intervals_[i] = {static_cast<std::uint16_t>(table.start(i)),
                         static_cast<std::uint16_t>(table.frequency(i) - 1)};
  }

  template <bool kChecked>
  std::uint8_t next(std::uint64_t& state, RansWords& words) const {
    const auto slot = static_cast<std::uint32_t>(state) & mask_;
    const std::uint8_t symbol = symbols_[slot];
    const SymbolInterval interval = intervals_[symbol];
    words.advance<kChecked>(state, slot, interval.start, interval.frequency_less_one + 1U,
                            precision_);
    return symbol;
  }

 private:
  unsigned precision_;
  std::uint32_t mask_;
  std::vector<std::uint8_t> symbols_;
  std::vector<SymbolInterval> intervals_;
};

}  // namespace

std::size_t encode_symbols(const FrequencyTable& table, std::span<const std::uint8_t> symbols,
                           std::vector<std::byte>* out) {
  const std::size_t lanes = num_symbol_lanes(symbols.size());
  RansEncoder encoder(lanes, out != nullptr);
  for (std::size_t i = symbols.size(); i-- > 0;)
    encoder.put(i % lanes, table.start(symbols[i]), table.frequency(symbols[i]), table.precision());
  if (out != nullptr) encoder.append_to(*out);
  return encoder.size_bytes();
}

Status decode_symbols(const FrequencyTable& table, std::span<const std::byte> encoded,
                      std::span<std::uint8_t> symbols) {
  const std::size_t lanes = num_symbol_lanes(symbols.size());
  BANKAI_ASSIGN_OR_RETURN(RansStream stream, RansStream::open(encoded, lanes));
  const SymbolDecoder decoder(table);
  std::size_t i = 0;
  if (lanes == kMaxLanes) {
    // Copies whose address nobody has, so that they stay in registers across the stores.
    std::array<std::uint64_t, kMaxLanes> states = stream.states;
    RansWords words = stream.words;
    for (; i + kMaxLanes <= symbols.size() && words.remaining() >= 4 * kMaxLanes; i += kMaxLanes)
      for (std::size_t lane = 0; lane < kMaxLanes; ++lane)
        symbols[i + lane] = decoder.next<false>(states[lane], words);
    stream.states = states;
    stream.words = words;
  }
  for (; i < symbols.size(); ++i)
    symbols[i] = decoder.next<true>(stream.states[i % lanes], stream.words);
  return stream.finish(lanes);
}

}  // namespace bankai::packer
