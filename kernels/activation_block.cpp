// Quantised activations of a block of tokens (kernels/matmul.h).
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/check.h"
#include "kernels/matmul.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kGroupCols = 128;
constexpr std::size_t kRunCols = 32;
constexpr std::size_t kRuns = kGroupCols / kRunCols;
constexpr int kLeastShift = 4;
constexpr int kMostShift = 7;

// Quick and safe: false only if some |digit| is at least 16, and then the run's shift is 0: the
// least shift needs all of them below 127 / 2^4 + 1/2.
bool may_have_shift(const std::int8_t* digits) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kRunCols; i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, digits + i, sizeof word);
    seen |= word ^ (((word >> 7U) & kOnes) * 0xffU);  // |digit|, or |digit| − 1 for negative ones
  }
  return (seen & (0xf0U * kOnes)) == 0;
}

float largest_magnitude(const float* x, std::size_t count) {
  float largest = 0.0F;
  for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(x[i]));
  return largest;
}

int shift_of(float run_largest, float group_largest) {
  if (run_largest == 0.0F) return 0;
  for (int shift = kMostShift; shift >= kLeastShift; --shift)
    if (std::ldexp(run_largest, shift) <= group_largest) return shift;
  return 0;
}

// Replaces the plain digits of a group (low; high is zero) by finer ones if it holds an outlier.
bool refine_group(const float* x, std::int8_t* high, std::int8_t* low, float* scale) {
  bool possible = false;
  for (std::size_t run = 0; run < kRuns; ++run)
    possible = possible || may_have_shift(low + run * kRunCols);
  if (!possible || !(*scale > 0.0F)) return false;
  const float largest = largest_magnitude(x, kGroupCols);
  int shifts[kRuns];
  for (std::size_t run = 0; run < kRuns; ++run)
    shifts[run] = shift_of(largest_magnitude(x + run * kRunCols, kRunCols), largest);
  const int top = *std::max_element(shifts, shifts + kRuns);
  if (top == 0) return false;
  for (std::size_t run = 0; run < kRuns; ++run) {
    const float steps = std::ldexp(127.0F / largest, shifts[run]);
    for (std::size_t j = run * kRunCols; j < (run + 1) * kRunCols; ++j) {
      const int value = static_cast<int>(std::nearbyint(x[j] * steps)) * (1 << (top - shifts[run]));
      const int rounded =
          (std::abs(value) + 127) / 255;  // round(|value| / 255); 255 is odd, so there are no ties
      const int digit = value < 0 ? -rounded : rounded;
      high[j] = static_cast<std::int8_t>(digit);
      low[j] = static_cast<std::int8_t>(value - 255 * digit);
    }
  }
  *scale = std::ldexp(*scale, -top);
  return true;
}

}  // namespace

void ActivationBlock::resize(ActivationMode mode, std::size_t tokens, std::size_t cols,
                             bool keep_floats) {
  BANKAI_CHECK(cols % kGroupCols == 0, "activation columns are not a multiple of 128");
  mode_ = mode;
  tokens_ = tokens;
  cols_ = cols;
  keeps_floats_ = keep_floats;
  const std::size_t count = tokens * cols;
  if (keep_floats && values_.size() < count) values_.resize(count);
  if (high_.size() < count) high_.resize(count);
  if (low_.size() < count) low_.resize(count);
  if (scales_.size() < count / kGroupCols) scales_.resize(count / kGroupCols);
  if (is_wide_.size() < tokens) is_wide_.resize(tokens);
}

void ActivationBlock::set_token(const KernelTable& table, std::size_t token, const float* x) {
  BANKAI_DCHECK(token < tokens_, "token out of range");
  const std::size_t offset = token * cols_;
  if (keeps_floats_ && cols_ != 0) std::memcpy(values_.data() + offset, x, cols_ * sizeof(float));
  float* scales = scales_.data() + offset / kGroupCols;
  std::int8_t* high = high_.data() + offset;
  std::int8_t* low = low_.data() + offset;
  if (mode_ == ActivationMode::kA16) {
    table.quantize_a16(x, cols_, high, low, scales);
    return;
  }
  table.quantize_a8(x, cols_, low, scales);
  if (cols_ != 0) std::memset(high, 0, cols_);
  bool is_wide = false;
  for (std::size_t group = 0; group < cols_ / kGroupCols; ++group) {
    const std::size_t first = group * kGroupCols;
    is_wide = refine_group(x + first, high + first, low + first, scales + group) || is_wide;
  }
  is_wide_[token] = is_wide ? 1 : 0;
}

void ActivationBlock::take_group(const ActivationBlock& from, std::size_t group) {
  BANKAI_CHECK(group < from.cols_ / kGroupCols, "column group out of range");
  resize(from.mode_, from.tokens_, kGroupCols, from.keeps_floats_);
  for (std::size_t token = 0; token < tokens_; ++token) {
    const std::size_t source = token * from.cols_ + group * kGroupCols;
    const std::size_t target = token * kGroupCols;
    const std::int8_t* high = from.high_.data() + source;
    std::copy_n(high, kGroupCols, high_.data() + target);
    std::copy_n(from.low_.data() + source, kGroupCols, low_.data() + target);
    if (keeps_floats_)
      std::copy_n(from.values_.data() + source, kGroupCols, values_.data() + target);
    scales_[token] = from.scales_[source / kGroupCols];
    const bool has_high =
        std::any_of(high, high + kGroupCols, [](std::int8_t d) { return d != 0; });
    is_wide_[token] = has_high ? 1 : 0;
  }
}

void ActivationBlock::widen(std::size_t first, std::size_t count, float* out) const {
  BANKAI_DCHECK(first + count <= tokens_, "tokens out of range");
  for (std::size_t i = first * cols_; i < (first + count) * cols_; i += kGroupCols) {
    const float scale = scales_[i / kGroupCols];
    const std::int8_t* high = high_.data() + i;
    const std::int8_t* low = low_.data() + i;
    for (std::size_t j = 0; j < kGroupCols; ++j)
      out[j] = scale * static_cast<float>(255 * high[j] + low[j]);
    out += kGroupCols;
  }
}

Activations ActivationBlock::one_plane(std::size_t first, std::size_t count) const {
  BANKAI_DCHECK(first + count <= tokens_, "tokens out of range");
  const std::size_t offset = first * cols_;
  return {.high = low_.data() + offset,
          .low = nullptr,
          .scales = scales_.data() + offset / kGroupCols,
          .tokens = count,
          .cols = cols_};
}

Activations ActivationBlock::integers(std::size_t first, std::size_t count) const {
  Activations view = one_plane(first, count);
  for (std::size_t token = first; token < first + count; ++token) {
    if (!is_wide(token)) continue;
    view.low = view.high;
    view.high = high_.data() + first * cols_;
    break;
  }
  return view;
}

}  // namespace bankai::kernels
