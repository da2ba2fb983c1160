// Sorted sets of numbers as Rice-coded gaps, in a stream of bits.
//
// For k numbers spread evenly over N places the code takes at most 0.13 bits per number more than
// the mean information of their gaps, so a sparse set comes within about 2 % of log2 C(N, k)
// (Golomb 1966, Rice 1979; docs/formats/patch.md has the arithmetic).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"

namespace bankai::patch {

// Bits fill each byte from the least significant one; the last byte is padded with zeros.
class BitWriter {
 public:
  void write(std::uint64_t value, unsigned count);  // the low `count` bits, least significant first
  void write_unary(std::uint64_t value);            // `value` ones, then a zero
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
  unsigned used_ = 8;  // bits taken of the last byte
};

// Errors (kBadInput): the stream ends too early.
class BitReader {
 public:
  explicit BitReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  Result<std::uint64_t> read(unsigned count);
  // Stops with an error as soon as the value passes `limit`.
  Result<std::uint64_t> read_unary(std::uint64_t limit);
  std::uint64_t remaining_bits() const { return bytes_.size() * 8 - position_; }

 private:
  bool next_bit();

  std::span<const std::byte> bytes_;
  std::uint64_t position_ = 0;
};

// A set is written as: shift (6 bits); then for each number in order its gap to the place after the
// number before it (to 0 for the first): gap >> shift in unary, then the low `shift` bits of the
// gap. The shift is the smallest of those that give the fewest bits. An empty set takes no bits at
// all; the count is stored elsewhere. REQUIRES: sorted, no repetition.
std::uint64_t set_size_bits(std::span<const std::uint64_t> numbers);
void write_set(std::span<const std::uint64_t> numbers, BitWriter& writer);

// Reads `count` numbers below `limit`. Errors (kBadInput): the stream ends, a number is not below
// `limit`. `what` names the set in messages ("row flips").
Result<std::vector<std::uint64_t>> read_set(BitReader& reader, std::uint64_t count,
                                            std::uint64_t limit, const char* what);

}  // namespace bankai::patch
