#include "packer/lossy_tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "kernels/half.h"
#include "kernels/ternary_blocks.h"
#include "model/parallel.h"
#include "packer/block_encoder.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;
using kernels::WeightRows;

// `bits`: a sign above `exponent_mantissa` bits; the lowest `dropped` ones are rounded away, to
// nearest even. Infinities, what is no number, and what would become infinite stay as they are.
std::uint32_t round_away(std::uint32_t bits, unsigned mantissa, unsigned exponent,
                         unsigned dropped) {
  const std::uint32_t sign = std::uint32_t{1} << (mantissa + exponent);
  const std::uint32_t infinity = sign - (std::uint32_t{1} << mantissa);
  const std::uint32_t magnitude = bits & (sign - 1);
  if (magnitude >= infinity || dropped == 0) return bits;
  const std::uint32_t unit = std::uint32_t{1} << dropped;
  const std::uint32_t rounded =
      (magnitude + unit / 2 - 1 + ((magnitude >> dropped) & 1U)) & ~(unit - 1);
  return rounded >= infinity ? bits : (bits & sign) | rounded;
}

std::uint16_t round_half(std::uint16_t value, unsigned mantissa_bits) {
  const unsigned dropped = mantissa_bits < 10 ? 10 - mantissa_bits : 0;
  return static_cast<std::uint16_t>(round_away(value, 10, 5, dropped));
}

template <typename T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <typename T>
void store(std::byte* bytes, T value) {
  std::memcpy(bytes, &value, sizeof value);
}

void round_floats(LossyTensor& tensor, unsigned mantissa_bits) {
  const std::size_t size = kernels::tensor_type_info(tensor.type).block_bytes;
  for (std::size_t i = 0; i + size <= tensor.bytes.size(); i += size) {
    std::byte* const at = tensor.bytes.data() + i;
    if (tensor.type == TensorType::kF32)
      store(at, round_away(load<std::uint32_t>(at), 23, 8, 23 - std::min(mantissa_bits, 23U)));
    else if (tensor.type == TensorType::kBF16)
      store(at, static_cast<std::uint16_t>(
                    round_away(load<std::uint16_t>(at), 7, 8, 7 - std::min(mantissa_bits, 7U))));
    else
      store(at, round_half(load<std::uint16_t>(at), mantissa_bits));
  }
}

// A block with a half-precision scale and codes, of any such type.
class ScaledBlock {
 public:
  ScaledBlock(TensorType type, std::byte* block)
      : type_(type), block_(reinterpret_cast<std::uint8_t*>(block)) {}

  std::uint16_t scale() const {
    if (kernels::is_ternary(type_)) return kernels::ternary_block_scale(type_, block_);
    return load<std::uint16_t>(reinterpret_cast<const std::byte*>(block_));
  }
  void set_scale(std::uint16_t scale) {
    if (!kernels::is_ternary(type_)) {
      std::memcpy(block_, &scale, sizeof scale);
      return;
    }
    std::uint8_t codes[kernels::kMaxTernaryBlock];
    kernels::decode_ternary_block(type_, block_, codes);
    kernels::encode_ternary_block(type_, codes, scale, block_);
  }
  // Scale and codes of zero; of one-bit weights all signs are minus, which the scale makes no
  // matter.
  void remove() {
    if (!kernels::is_ternary(type_)) {
      std::memset(block_, 0, kernels::tensor_type_info(type_).block_bytes);
      return;
    }
    std::uint8_t codes[kernels::kMaxTernaryBlock];
    std::fill(std::begin(codes), std::end(codes), std::uint8_t{1});
    kernels::encode_ternary_block(type_, codes, 0, block_);
  }

 private:
  TensorType type_;
  std::uint8_t* block_;
};

// A tensor of scaled blocks under change.
class BlockTensor {
 public:
  BlockTensor(LossyTensor& tensor, std::size_t rows, std::size_t cols,
              const TensorImportance& importance, int threads)
      : tensor_(tensor),
        rows_(rows),
        cols_(cols),
        importance_(importance),
        threads_(threads),
        info_(kernels::tensor_type_info(tensor.type)),
        blocks_per_row_(cols / info_.block_weights) {}

  void drop_unused_rows() {
    if (importance_.is_row_used.empty()) return;
    for (std::size_t row = 0; row < rows_; ++row)
      if (!importance_.is_row_used[row])
        for (std::size_t i = 0; i < blocks_per_row_; ++i) block(row * blocks_per_row_ + i).remove();
  }

  void prune(unsigned of_64) {
    const std::vector<double> effects = block_effects();
    const std::size_t count = effects.size() / 64 * of_64 + effects.size() % 64 * of_64 / 64;
    std::vector<std::size_t> order(effects.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto nth = order.begin() + static_cast<std::ptrdiff_t>(count);
    std::nth_element(order.begin(), nth, order.end(), [&](std::size_t a, std::size_t b) {
      return effects[a] != effects[b] ? effects[a] < effects[b] : a < b;
    });
    std::for_each(order.begin(), nth, [&](std::size_t index) { block(index).remove(); });
  }

  void share_row_scales() {
    const std::vector<double> effects = block_effects();
    for (std::size_t row = 0; row < rows_; ++row) share_scale(row, effects);
  }

  void round_scales(unsigned mantissa_bits) {
    model::parallel_for(threads_, rows_ * blocks_per_row_, [&](IndexRange range) {
      for (std::size_t i = range.begin; i < range.end; ++i)
        block(i).set_scale(round_half(block(i).scale(), mantissa_bits));
    });
  }

 private:
  ScaledBlock block(std::size_t index) {
    return {tensor_.type, tensor_.bytes.data() + index * info_.block_bytes};
  }

  // Σ importance · weight² of every block, what removing it would cost.
  std::vector<double> block_effects() const {
    std::vector<double> effects(rows_ * blocks_per_row_);
    const WeightRows weights = tensor_.weights(rows_, cols_);
    model::parallel_for(threads_, rows_, [&](IndexRange range) {
      std::vector<float> values(cols_);
      for (std::size_t row = range.begin; row < range.end; ++row) {
        kernels::widen_row(weights, row, values.data());
        for (std::size_t col = 0; col < cols_; ++col) {
          const double value = static_cast<double>(values[col]);
          effects[row * blocks_per_row_ + col / info_.block_weights] +=
              importance_.col(col) * value * value;
        }
        for (std::size_t i = 0; i < blocks_per_row_; ++i) {
          double& effect = effects[row * blocks_per_row_ + i];
          effect *= importance_.row(row);
          if (!std::isfinite(effect)) effect = std::numeric_limits<double>::max();
        }
      }
    });
    return effects;
  }

  // The shared scale s makes Σ_b (effect of b / d_b²) · (d_b − s)² least.
  void share_scale(std::size_t row, const std::vector<double>& effects) {
    double weighted = 0.0, weights = 0.0;
    for (std::size_t i = row * blocks_per_row_; i < (row + 1) * blocks_per_row_; ++i) {
      const double scale = static_cast<double>(kernels::f16_to_float(block(i).scale()));
      if (scale == 0.0 || !std::isfinite(scale)) continue;
      const double weight = std::max(effects[i] / (scale * scale), 1e-300);
      weighted += weight * scale;
      weights += weight;
    }
    if (weights == 0.0) return;
    const std::uint16_t shared = kernels::float_to_f16(static_cast<float>(weighted / weights));
    for (std::size_t i = row * blocks_per_row_; i < (row + 1) * blocks_per_row_; ++i)
      if (kernels::f16_to_float(block(i).scale()) != 0.0F) block(i).set_scale(shared);
  }

  LossyTensor& tensor_;
  std::size_t rows_, cols_;
  const TensorImportance& importance_;
  int threads_;
  const kernels::TensorTypeInfo& info_;
  std::size_t blocks_per_row_;
};

}  // namespace

WeightRows LossyTensor::weights(std::size_t rows, std::size_t cols) const {
  const kernels::TensorTypeInfo& info = kernels::tensor_type_info(type);
  return {type, reinterpret_cast<const std::uint8_t*>(bytes.data()), rows, cols,
          cols / info.block_weights * info.block_bytes};
}

Result<LossyTensor> apply_step(const WeightRows& tensor, const LossyStep& step,
                               const TensorImportance& importance, int threads) {
  LossyTensor result;
  result.type = step.encoding ? step.encoding->type : tensor.type;
  if (step.encoding) {
    const BlockEncoding encoding{step.encoding->type, ScaleScope::kGroup, step.encoding->code_bits};
    BANKAI_ASSIGN_OR_RETURN(
        result.bytes, encode_tensor(encoding, tensor.rows, tensor.cols, rows_of(tensor), threads));
  } else {
    const auto* const bytes = reinterpret_cast<const std::byte*>(tensor.data);
    result.bytes.assign(bytes, bytes + tensor.rows * tensor.row_bytes);
  }
  if (kernels::tensor_type_info(result.type).block_weights == 1) {
    if (step.mantissa_bits) round_floats(result, *step.mantissa_bits);
    return result;
  }
  BlockTensor blocks(result, tensor.rows, tensor.cols, importance, threads);
  if (step.drops_unused_rows) blocks.drop_unused_rows();
  if (step.pruned_64ths > 0) blocks.prune(step.pruned_64ths);
  if (step.shares_row_scales) blocks.share_row_scales();
  if (step.mantissa_bits) blocks.round_scales(*step.mantissa_bits);
  return result;
}

double estimated_loss(const WeightRows& before, const WeightRows& after,
                      const TensorImportance& importance, int threads) {
  std::vector<double> sums(before.rows);
  model::parallel_for(threads, before.rows, [&](IndexRange range) {
    std::vector<float> old_row(before.cols), new_row(before.cols);
    for (std::size_t row = range.begin; row < range.end; ++row) {
      kernels::widen_row(before, row, old_row.data());
      kernels::widen_row(after, row, new_row.data());
      double sum = 0.0;
      for (std::size_t col = 0; col < before.cols; ++col) {
        const double difference =
            static_cast<double>(new_row[col]) - static_cast<double>(old_row[col]);
        sum += importance.col(col) * difference * difference;
      }
      sums[row] = sum * importance.row(row);
    }
  });
  return 0.5 * std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace bankai::packer
