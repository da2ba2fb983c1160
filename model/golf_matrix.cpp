#include "model/golf_matrix.h"

#include <algorithm>
#include <cstring>

#include "kernels/half.h"
#include "kernels/kv_codes.h"

namespace bankai::model {
namespace {

constexpr std::size_t kRun = 16;     // codes that lie together
constexpr std::size_t kChunk = 128;  // columns
constexpr std::size_t kHalfBits = 16;
constexpr std::size_t kFloatBits = 32;

bool all_halves(const std::vector<float>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(),
                     [](float x) { return kernels::f16_to_float(kernels::float_to_f16(x)) == x; });
}

std::size_t bits_of(const GolfWeights& weights) {
  if (weights.trits.empty()) return all_halves(weights.numbers) ? kHalfBits : kFloatBits;
  return std::count(weights.trits.begin(), weights.trits.end(), 0) == 0 ? 1 : 2;
}

// The index of the ops for codes of so many bits.
std::size_t code_op(std::size_t bits) {
  return static_cast<std::size_t>(
      std::find(std::begin(kernels::kKvCodeBits), std::end(kernels::kKvCodeBits), bits) -
      std::begin(kernels::kKvCodeBits));
}

}  // namespace

double GolfWeights::value(std::size_t row, std::size_t col) const {
  if (trits.empty()) return scale * static_cast<double>(numbers[row * cols + col]);
  const double trit = trits[row * cols + col];
  if (group_scales.empty()) return scale * trit;
  return scale * trit * static_cast<double>(group_scales[row * groups() + col / group]);
}

GolfWeights GolfWeights::slice(std::size_t first, std::size_t count) const {
  GolfWeights part;
  part.rows = count;
  part.cols = cols;
  part.scale = scale;
  part.group = group;
  const auto copy = [&](const auto& from, std::size_t width, auto& to) {
    if (from.empty()) return;
    const auto begin = from.begin() + static_cast<std::ptrdiff_t>(first * width);
    to.assign(begin, begin + static_cast<std::ptrdiff_t>(count * width));
  };
  copy(numbers, cols, part.numbers);
  copy(trits, cols, part.trits);
  copy(group_scales, groups(), part.group_scales);
  return part;
}

GolfMatrix::GolfMatrix(const GolfWeights& weights)
    : rows_(weights.rows), cols_(weights.cols), scale_(weights.scale), bits_(bits_of(weights)) {
  const bool has_groups = !weights.group_scales.empty();
  // Whole groups, or a group in whole chunks.
  const std::size_t group = has_groups ? std::min(weights.group, cols_) : cols_;
  chunk_ = group > kChunk && (group == cols_ || group % kChunk == 0) ? kChunk : group;
  pack(weights);
  if (bits_ < kHalfBits) {
    code_scale_.assign(chunk_, bits_ == 1 ? 2.0F : 1.0F);
    least_.assign(chunk_, -1.0F);
  }
  if (!has_groups) return;
  const std::size_t stride = panels() * kPanelRows;
  group_scales_.resize((cols_ + chunk_ - 1) / chunk_ * stride);
  for (std::size_t chunk = 0; chunk * chunk_ < cols_; ++chunk)
    for (std::size_t row = 0; row < rows_; ++row)
      group_scales_[chunk * stride + row] =
          weights.group_scales[row * weights.groups() + chunk * chunk_ / weights.group];
}

std::size_t GolfMatrix::panel_width(std::size_t panel) const {
  return (std::min(kPanelRows, rows_ - panel * kPanelRows) + kRun - 1) / kRun * kRun;
}

std::size_t GolfMatrix::column_bytes(std::size_t panel) const {
  return panel_width(panel) * bits_ / 8;
}

const std::uint8_t* GolfMatrix::column(std::size_t panel, std::size_t col) const {
  return columns_.data() + panel * kPanelRows * bits_ / 8 * cols_ + col * column_bytes(panel);
}

std::size_t GolfMatrix::bytes() const {
  return columns_.size() + group_scales_.size() * sizeof(float);
}

void GolfMatrix::pack(const GolfWeights& weights) {
  const std::size_t padded_rows = (rows_ + kRun - 1) / kRun * kRun;
  columns_.resize(padded_rows * bits_ / 8 * cols_);
  for (std::size_t row = 0; row < rows_; ++row) {
    const std::size_t panel = row / kPanelRows;
    const std::size_t lane = row % kPanelRows;
    std::uint8_t* to = columns_.data() + (column(panel, 0) - columns_.data());
    for (std::size_t col = 0; col < cols_; ++col, to += column_bytes(panel)) {
      const std::size_t index = row * cols_ + col;
      if (bits_ == kFloatBits) {
        std::memcpy(to + lane * sizeof(float), &weights.numbers[index], sizeof(float));
      } else if (bits_ == kHalfBits) {
        const std::uint16_t half = kernels::float_to_f16(weights.numbers[index]);
        std::memcpy(to + lane * sizeof half, &half, sizeof half);
      } else {
        const int code = (weights.trits[index] + 1) >> (bits_ == 1 ? 1 : 0);
        kernels::set_code(to + lane / kRun * kernels::code_run_bytes(bits_), bits_, lane % kRun,
                          static_cast<std::uint8_t>(code));
      }
    }
  }
}

void GolfMatrix::add_columns(const kernels::KernelTable& table, std::size_t panel,
                             std::size_t first, std::size_t count, const float* x,
                             std::size_t tokens, float* sums) const {
  const std::size_t width = panel_width(panel);
  const std::uint8_t* from = column(panel, first);
  if (bits_ < kHalfBits) {
    table.packed_values[code_op(bits_)](x, tokens, cols_, {from, code_scale_.data(), least_.data()},
                                        count, width, sums, width);
    return;
  }
  const kernels::KvType type = bits_ == kHalfBits ? kernels::KvType::kF16 : kernels::KvType::kF32;
  table.attention_values[static_cast<std::size_t>(type)](x, tokens, cols_, from, width, count,
                                                         width, sums, width);
}

void GolfMatrix::multiply(const kernels::KernelTable& table, std::size_t panel, const float* x,
                          const double* factors, std::size_t tokens, std::vector<float>& sums,
                          double* out) const {
  const std::size_t first_row = panel * kPanelRows;
  const std::size_t count = std::min(kPanelRows, rows_ - first_row);
  const std::size_t width = panel_width(panel);
  for (std::size_t t = 0; t < tokens; ++t) std::fill_n(out + t * rows_ + first_row, count, 0.0);
  for (std::size_t first = 0; first < cols_; first += chunk_) {
    sums.assign(tokens * width, 0.0F);
    add_columns(table, panel, first, std::min(chunk_, cols_ - first), x + first, tokens,
                sums.data());
    const float* scales =
        group_scales_.empty()
            ? nullptr
            : group_scales_.data() + first / chunk_ * panels() * kPanelRows + first_row;
    for (std::size_t t = 0; t < tokens; ++t) {
      const float* sum = sums.data() + t * width;
      double* to = out + t * rows_ + first_row;
      for (std::size_t r = 0; r < count; ++r)
        to[r] += scales == nullptr ? static_cast<double>(sum[r])
                                   : static_cast<double>(scales[r]) * static_cast<double>(sum[r]);
    }
  }
  for (std::size_t t = 0; t < tokens; ++t)
    for (std::size_t r = 0; r < count; ++r) out[t * rows_ + first_row + r] *= factors[t] * scale_;
}

}  // namespace bankai::model
