#include "model/golf_matrix.h"

#include <algorithm>
#include <cstring>

#include "kernels/half.h"
#include "kernels/kv_codes.h"
#include "model/code_ops.h"

namespace bankai::model {
namespace {

constexpr std::size_t kRun = 16;          // codes that lie together
constexpr std::size_t kSumColumns = 128;  // that are summed in single precision
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

std::size_t padded(std::size_t rows) { return (rows + kRun - 1) / kRun * kRun; }

}  // namespace

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
  group_ = has_groups ? weights.group : cols_;
  pack(weights);
  if (bits_ < kHalfBits) {
    code_scale_.assign(std::min(kSumColumns, cols_), bits_ == 1 ? 2.0F : 1.0F);
    least_.assign(code_scale_.size(), -1.0F);
  }
  if (!has_groups) return;
  const std::size_t groups = weights.groups();
  group_scales_.resize(groups * rows_);
  for (std::size_t row = 0; row < rows_; ++row)
    for (std::size_t group = 0; group < groups; ++group)
      group_scales_[group * rows_ + row] = weights.group_scales[row * groups + group];
}

std::size_t GolfMatrix::panel_width(std::size_t panel) const {
  return padded(std::min(kPanelRows, rows_ - panel * kPanelRows));
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

std::size_t GolfMatrix::padding(std::size_t rows, std::size_t cols) {
  return (padded(rows) - rows) * cols;
}

double GolfMatrix::value(std::size_t row, std::size_t col) const {
  const std::size_t lane = row % kPanelRows;
  const std::uint8_t* from = column(row / kPanelRows, col);
  float number = 0.0F;
  if (bits_ == kFloatBits) {
    std::memcpy(&number, from + lane * sizeof number, sizeof number);
  } else if (bits_ == kHalfBits) {
    std::uint16_t half = 0;
    std::memcpy(&half, from + lane * sizeof half, sizeof half);
    number = kernels::f16_to_float(half);
  } else {
    const std::uint8_t code =
        kernels::get_code(from + lane / kRun * kernels::code_run_bytes(bits_), bits_, lane % kRun);
    number = static_cast<float>(code) * code_scale_.front() + least_.front();
  }
  const double scaled = scale_ * static_cast<double>(number);
  if (group_scales_.empty()) return scaled;
  return scaled * static_cast<double>(group_scales_[col / group_ * rows_ + row]);
}

void GolfMatrix::pack(const GolfWeights& weights) {
  columns_.resize(padded(rows_) * bits_ / 8 * cols_);
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
  for (std::size_t first = 0, columns = 0; first < cols_; first += columns) {
    columns = std::min({kSumColumns, group_ - first % group_, cols_ - first});
    sums.assign(tokens * width, 0.0F);
    add_columns(table, panel, first, columns, x + first, tokens, sums.data());
    const float* scales =
        group_scales_.empty() ? nullptr : group_scales_.data() + first / group_ * rows_ + first_row;
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
