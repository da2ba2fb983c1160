// Numbers of some bits one after another: each byte is filled from its least significant bit, each
// number low bit first, the unused bits of the last byte are 0.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/format.h"
#include "core/result.h"

namespace bankai::packer {

class BitWriter {
 public:
  // The `count` low bits of `value`. REQUIRES: count <= 32; the higher bits are 0.
  void write(std::uint32_t value, unsigned count) {
    pending_ |= static_cast<std::uint64_t>(value) << used_;
    used_ += count;
    for (; used_ >= 8; used_ -= 8, pending_ >>= 8U)
      bytes_.push_back(static_cast<std::byte>(pending_ & 0xffU));
  }
  // Exponential Golomb code of order k: with v = value + 2^k of n bits, n − 1 − k ones, a zero, and
  // the n − 1 low bits of v. REQUIRES: value + 2^k < 2^32.
  void write_golomb(std::uint32_t value, unsigned k) {
    const std::uint32_t v = value + (1U << k);
    const auto extra = static_cast<unsigned>(std::bit_width(v)) - 1;
    write((1U << (extra - k)) - 1U, extra - k + 1);
    write(v & ((1U << extra) - 1U), extra);
  }
  // A signed value as the code of 2 · value, or −2 · value − 1 below zero. REQUIRES: |value| <
  // 2^30.
  void write_signed_golomb(std::int64_t value, unsigned k) {
    write_golomb(static_cast<std::uint32_t>(value < 0 ? -value * 2 - 1 : value * 2), k);
  }
  static unsigned golomb_bits(std::uint32_t value, unsigned k) {
    const auto extra = static_cast<unsigned>(std::bit_width(value + (1U << k))) - 1;
    return extra - k + 1 + extra;
  }

  // All bytes, the last one filled up with zeros.
  std::vector<std::byte> finish() && {
    if (used_ != 0) bytes_.push_back(static_cast<std::byte>(pending_));
    return std::move(bytes_);
  }

 private:
  std::vector<std::byte> bytes_;
  std::uint64_t pending_ = 0;
  unsigned used_ = 0;
};

class BitReader {
 public:
  explicit BitReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  // REQUIRES: count <= 32.
  Result<std::uint32_t> read(unsigned count) {
    for (; available_ < count; available_ += 8) {
      if (next_ == bytes_.size())
        return make_error(ErrorCode::kBadInput, "bits end at offset %zu", next_);
      pending_ |= std::to_integer<std::uint64_t>(bytes_[next_++]) << available_;
    }
    const auto value = static_cast<std::uint32_t>(pending_ & ((std::uint64_t{1} << count) - 1U));
    pending_ >>= count;
    available_ -= count;
    return value;
  }
  Result<std::uint32_t> read_golomb(unsigned k) {
    unsigned extra = k;
    while (true) {
      BANKAI_ASSIGN_OR_RETURN(const std::uint32_t more, read(1));
      if (more == 0) break;
      if (++extra > 31)
        return make_error(ErrorCode::kBadInput, "a number of more than 32 bits at offset %zu",
                          next_);
    }
    BANKAI_ASSIGN_OR_RETURN(const std::uint32_t low, read(extra));
    return (1U << extra) + low - (1U << k);
  }

  // kBadInput if the value is not within [least, most].
  Result<std::int64_t> read_signed_golomb(unsigned k, std::int64_t least, std::int64_t most) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint32_t code, read_golomb(k));
    const std::int64_t half = (std::int64_t{code} + 1) / 2;
    const std::int64_t value = code % 2 == 0 ? half : -half;
    if (value < least || value > most)
      return make_error(ErrorCode::kBadInput, "a parameter of %lld, not within %lld and %lld",
                        static_cast<long long>(value), static_cast<long long>(least),
                        static_cast<long long>(most));
    return value;
  }

  // The bytes from here on, of which the next starts behind the bits read so far; kBadInput if a
  // bit that fills up the last byte is 1.
  Result<std::span<const std::byte>> rest() const {
    if (pending_ != 0)
      return make_error(ErrorCode::kBadInput, "an unused bit at offset %zu is 1", next_ - 1);
    return bytes_.subspan(next_);
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t next_ = 0;
  std::uint64_t pending_ = 0;
  unsigned available_ = 0;
};

}  // namespace bankai::packer
