// Activations and gradients as 8-bit digits along tokens: the operands of the outer products that
// make gradients of weights (KernelTable::add_digit_products).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/partition.h"
#include "kernels/kernel_table.h"

namespace bankai::bfs {

// Which operand of an outer product the values become, and so how their digits lie in memory.
enum class DigitOrder : std::uint8_t { kRows, kColumns };

// Values (tokens, width), cut into spans of at most kDigitTokens tokens. Within a span each of the
// `width` series of values has a scale of its own; the digits are those of quantize_a8.
class TokenDigits {
 public:
  TokenDigits(std::size_t width, DigitOrder order) : width_(width), order_(order) {}

  // Appends a span of each of `spans`, which are tokens of `values`.
  void add(const kernels::KernelTable& table, int threads, const float* values,
           std::span<const IndexRange> spans);
  void clear();

  // Tokens of a span, filled up to a multiple of 4: kRows' stride.
  std::size_t stride(std::size_t span) const { return spans_[span].padded; }
  const std::int8_t* digits(std::size_t span) const {
    return digits_.data() + spans_[span].first * width_;
  }
  const float* scales(std::size_t span) const { return scales_.data() + span * width_; }

 private:
  struct Span {
    std::size_t first = 0;  // padded tokens before it
    std::size_t padded = 0;
  };
  void quantise(const kernels::KernelTable& table, const float* values, IndexRange tokens,
                std::size_t span, IndexRange some);

  std::size_t width_;
  DigitOrder order_;
  std::vector<Span> spans_;
  std::vector<std::int8_t> digits_;
  std::vector<float> scales_;  // (spans, width)
};

}  // namespace bankai::bfs
