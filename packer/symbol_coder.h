// Codes a run of symbols of up to 256 kinds with one frequency table. Symbol i is in lane i mod
// lanes. How many symbols there are, and the table, the caller stores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "packer/frequency_table.h"

namespace bankai::packer {

// One lane for short runs, where the states would cost more than they save time; else eight.
constexpr std::size_t num_symbol_lanes(std::size_t num_symbols) {
  return num_symbols < 16384 ? 1 : 8;
}

// Returns the size in bytes; appends them to `out` unless that is null. REQUIRES: the table has a
// frequency for every symbol that occurs.
std::size_t encode_symbols(const FrequencyTable& table, std::span<const std::uint8_t> symbols,
                           std::vector<std::byte>* out);

// Fills `symbols` from exactly `encoded`; kBadInput if these are not the encoding of that many
// symbols.
Status decode_symbols(const FrequencyTable& table, std::span<const std::byte> encoded,
                      std::span<std::uint8_t> symbols);

}  // namespace bankai::packer
