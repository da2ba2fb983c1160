#include "patch/rice_set.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/format.h"

namespace bankai::patch {
namespace {

constexpr unsigned kShiftBits = 6;
constexpr unsigned kMaxShift = (1U << kShiftBits) - 1;

template <typename Visit>
void for_each_gap(std::span<const std::uint64_t> numbers, Visit visit) {
  std::uint64_t next = 0;
  for (const std::uint64_t number : numbers) {
    visit(number - next);
    next = number + 1;
  }
}

std::uint64_t size_with_shift(std::span<const std::uint64_t> numbers, unsigned shift) {
  std::uint64_t bits = kShiftBits;
  for_each_gap(numbers, [&](std::uint64_t gap) { bits += (gap >> shift) + 1 + shift; });
  return bits;
}

// The best shift and its size. With mean gap m, the best shift s has 2^s between m/4 and 2m: below,
// the quotients alone cost more than they save, above, the low bits do (tried against all shifts in
// the tests).
std::pair<unsigned, std::uint64_t> best_shift(std::span<const std::uint64_t> numbers) {
  const std::uint64_t mean = (numbers.back() + 1 - numbers.size()) / numbers.size();
  const unsigned top =
      std::min<unsigned>(static_cast<unsigned>(std::bit_width(mean)) + 1, kMaxShift);
  const unsigned bottom = top > 4 ? top - 4 : 0;
  std::pair<unsigned, std::uint64_t> best{bottom, size_with_shift(numbers, bottom)};
  for (unsigned shift = bottom + 1; shift <= top; ++shift) {
    const std::uint64_t bits = size_with_shift(numbers, shift);
    if (bits < best.second) best = {shift, bits};
  }
  return best;
}

}  // namespace

void BitWriter::write(std::uint64_t value, unsigned count) {
  for (unsigned bit = 0; bit < count; ++bit) {
    if (used_ == 8) {
      bytes_.push_back(std::byte{0});
      used_ = 0;
    }
    if (((value >> bit) & 1U) != 0) bytes_.back() |= std::byte{1} << used_;
    ++used_;
  }
}

void BitWriter::write_unary(std::uint64_t value) {
  for (; value > 0; --value) write(1, 1);
  write(0, 1);
}

bool BitReader::next_bit() {
  const std::byte byte = bytes_[static_cast<std::size_t>(position_ / 8)];
  const bool bit = ((byte >> (position_ % 8)) & std::byte{1}) != std::byte{0};
  ++position_;
  return bit;
}

Result<std::uint64_t> BitReader::read(unsigned count) {
  if (count > remaining_bits())
    return make_error(ErrorCode::kBadInput, "the coded flips end before the last one");
  std::uint64_t value = 0;
  for (unsigned bit = 0; bit < count; ++bit)
    if (next_bit()) value |= std::uint64_t{1} << bit;
  return value;
}

Result<std::uint64_t> BitReader::read_unary(std::uint64_t limit) {
  for (std::uint64_t value = 0; value <= limit; ++value) {
    if (remaining_bits() == 0)
      return make_error(ErrorCode::kBadInput, "the coded flips end before the last one");
    if (!next_bit()) return value;
  }
  return make_error(ErrorCode::kBadInput, "a coded gap leads beyond the last position");
}

std::uint64_t set_size_bits(std::span<const std::uint64_t> numbers) {
  return numbers.empty() ? 0 : best_shift(numbers).second;
}

void write_set(std::span<const std::uint64_t> numbers, BitWriter& writer) {
  if (numbers.empty()) return;
  const unsigned shift = best_shift(numbers).first;
  writer.write(shift, kShiftBits);
  for_each_gap(numbers, [&](std::uint64_t gap) {
    writer.write_unary(gap >> shift);
    writer.write(gap, shift);
  });
}

Result<std::vector<std::uint64_t>> read_set(BitReader& reader, std::uint64_t count,
                                            std::uint64_t limit, const char* what) {
  std::vector<std::uint64_t> numbers;
  if (count == 0) return numbers;
  // Every number takes at least one bit, so the memory stays within 64 times the file.
  if (count > reader.remaining_bits())
    return make_error(ErrorCode::kBadInput, "%llu %s are declared, but only %llu bits are left",
                      static_cast<unsigned long long>(count), what,
                      static_cast<unsigned long long>(reader.remaining_bits()));
  numbers.reserve(static_cast<std::size_t>(count));
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t raw_shift, reader.read(kShiftBits));
  const auto shift = static_cast<unsigned>(raw_shift);
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (next >= limit)
      return make_error(ErrorCode::kBadInput, "more %s than the %llu positions", what,
                        static_cast<unsigned long long>(limit));
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t high, reader.read_unary((limit - next) >> shift));
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t low, reader.read(shift));
    const std::uint64_t gap = (high << shift) | low;
    if (gap >= limit - next)
      return make_error(ErrorCode::kBadInput, "one of the %s lies beyond the %llu positions", what,
                        static_cast<unsigned long long>(limit));
    numbers.push_back(next + gap);
    next += gap + 1;
  }
  return numbers;
}

}  // namespace bankai::patch
