// What a sequence of symbols is worth: the order-0 entropy (Shannon 1948), the bound for every
// coder that looks at one symbol at a time. Computed with our own logarithm, so equal on every
// machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bankai::packer {

// Bits of information in a sequence in which symbol i occurs counts[i] times: Σ n_i · log2(N /
// n_i). Symbols that do not occur count nothing; 0 for an empty sequence.
double entropy_bits(std::span<const std::uint64_t> counts);

// The same for a sequence of bytes.
double byte_entropy_bits(std::span<const std::byte> bytes);

}  // namespace bankai::packer
