#include "bfs/token_digits.h"

#include <algorithm>
#include <cstring>

#include "model/parallel.h"

namespace bankai::bfs {
namespace {

constexpr std::size_t kTogether = 32;  // series that are turned around together

}  // namespace

void TokenDigits::clear() {
  spans_.clear();
  digits_.clear();
  scales_.clear();
}

void TokenDigits::add(const kernels::KernelTable& table, int threads, const float* values,
                      std::span<const IndexRange> spans) {
  const std::size_t first_span = spans_.size();
  for (const IndexRange tokens : spans) {
    const std::size_t before = spans_.empty() ? 0 : spans_.back().first + spans_.back().padded;
    spans_.push_back({before, (tokens.size() + 3) / 4 * 4});
  }
  if (spans.empty()) return;
  digits_.resize((spans_.back().first + spans_.back().padded) * width_);
  scales_.resize(spans_.size() * width_);
  const std::size_t parts = (width_ + kTogether - 1) / kTogether;
  model::parallel_for(threads, spans.size() * parts, [&](IndexRange range) {
    for (std::size_t i = range.begin; i < range.end; ++i) {
      const std::size_t first = i % parts * kTogether;
      quantise(table, values, spans[i / parts], first_span + i / parts,
               {first, std::min(width_, first + kTogether)});
    }
  });
}

void TokenDigits::quantise(const kernels::KernelTable& table, const float* values,
                           IndexRange tokens, std::size_t span, IndexRange some) {
  float series[kTogether][kernels::kDigitTokens] = {};
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const float* from = values + (tokens.begin + t) * width_ + some.begin;
    for (std::size_t i = 0; i < some.size(); ++i) series[i][t] = from[i];
  }
  const std::size_t padded = spans_[span].padded;
  std::int8_t* to = digits_.data() + spans_[span].first * width_;
  for (std::size_t i = 0; i < some.size(); ++i) {
    std::int8_t digits[kernels::kDigitTokens];
    const std::size_t at = some.begin + i;
    table.quantize_a8(series[i], kernels::kDigitTokens, digits,
                      scales_.data() + span * width_ + at);
    if (order_ == DigitOrder::kRows) {
      std::memcpy(to + at * padded, digits, padded);
      continue;
    }
    for (std::size_t quad = 0; quad < padded / 4; ++quad)
      std::memcpy(to + (quad * width_ + at) * 4, digits + 4 * quad, 4);
  }
}

}  // namespace bankai::bfs
