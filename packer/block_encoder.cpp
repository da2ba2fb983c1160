#include "packer/block_encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/format.h"
#include "kernels/half.h"
#include "kernels/ternary_blocks.h"
#include "model/parallel.h"
#include "packer/block_codes.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;

constexpr std::size_t kRowsMeasured = 64;  // at a time by one thread

Status not_finite(std::size_t row, std::span<const float> weights) {
  const auto bad =
      std::find_if(weights.begin(), weights.end(), [](float w) { return !std::isfinite(w); });
  return make_error(ErrorCode::kBadInput,
                    "row %zu, column %zu: the weight is %g, expected a number", row,
                    static_cast<std::size_t>(bad - weights.begin()), static_cast<double>(*bad));
}

bool has_shared_scale(TensorType type) {
  return type == TensorType::kQ1_0 || kernels::is_ternary(type);
}

float mean(const Magnitudes& magnitudes) {
  return magnitudes.count == 0
             ? 0.0F
             : static_cast<float>(magnitudes.sum / static_cast<double>(magnitudes.count));
}

float trit_scale(const Magnitudes& magnitudes) {
  return magnitudes.smallest == magnitudes.largest ? magnitudes.largest : mean(magnitudes);
}

template <typename Convert>
void encode_halves(std::span<const float> weights, std::uint8_t* out, Convert convert) {
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::uint16_t half = convert(weights[i]);
    std::memcpy(out + 2 * i, &half, sizeof half);
  }
}

void encode_q8(std::span<const float> weights, unsigned bits, std::uint8_t* out) {
  for (std::size_t first = 0; first < weights.size(); first += kQ8Weights, out += 2 + kQ8Weights) {
    std::int8_t codes[kQ8Weights];
    const std::uint16_t scale =
        encode_q8_codes(weights.subspan(first).first<kQ8Weights>(), bits, codes);
    std::memcpy(out, &scale, sizeof scale);
    std::memcpy(out + sizeof scale, codes, sizeof codes);
  }
}

// The largest float that the type rounds to a finite number lies below this.
float first_infinite(TensorType type) {
  if (type == TensorType::kF16) return 65520.0F;
  if (type == TensorType::kBF16) return 0x1.ffp127F;
  return HUGE_VALF;
}

}  // namespace

bool can_encode(TensorType type) { return type != TensorType::kI2_S; }

void Magnitudes::add(std::span<const float> weights) {
  for (const float weight : weights) {
    const float magnitude = std::fabs(weight);
    sum += static_cast<double>(magnitude);
    largest = std::max(largest, magnitude);
    if (magnitude > 0.0F && (smallest == 0.0F || magnitude < smallest)) smallest = magnitude;
  }
  count += weights.size();
}

void Magnitudes::add(const Magnitudes& other) {
  sum += other.sum;
  count += other.count;
  largest = std::max(largest, other.largest);
  if (smallest == 0.0F || (other.smallest > 0.0F && other.smallest < smallest))
    smallest = other.smallest;
}

RowSource rows_of(kernels::WeightRows weights, float scale) {
  return [weights, scale](std::size_t row, float* out) {
    kernels::widen_row(weights, row, out);
    if (scale != 1.0F)
      for (std::size_t i = 0; i < weights.cols; ++i) out[i] *= scale;
  };
}

BlockEncoder::BlockEncoder(const BlockEncoding& encoding, std::size_t rows, std::size_t cols,
                           RowSource source)
    : encoding_(encoding), rows_(rows), cols_(cols), source_(std::move(source)) {
  const kernels::TensorTypeInfo& type = kernels::tensor_type_info(encoding.type);
  row_bytes_ = cols / type.block_weights * type.block_bytes;
}

Result<BlockEncoder> BlockEncoder::make(const BlockEncoding& encoding, std::size_t rows,
                                        std::size_t cols, RowSource source, int threads) {
  const kernels::TensorTypeInfo& type = kernels::tensor_type_info(encoding.type);
  const std::string name(type.name);
  if (!can_encode(encoding.type))
    return make_error(ErrorCode::kUsage, "weights cannot be encoded as %s", name.c_str());
  if (encoding.type == TensorType::kQ8_0 && (encoding.code_bits < 2 || encoding.code_bits > 8))
    return make_error(ErrorCode::kUsage, "Q8_0 codes of %u bits, expected 2 to 8",
                      encoding.code_bits);
  if (cols % type.block_weights != 0)
    return make_error(ErrorCode::kUsage, "%zu columns are no multiple of %zu, the block of %s",
                      cols, type.block_weights, name.c_str());
  BlockEncoder encoder(encoding, rows, cols, std::move(source));
  if (encoding.scope == ScaleScope::kTensor && has_shared_scale(encoding.type))
    BANKAI_RETURN_IF_ERROR(encoder.measure(threads));
  return encoder;
}

// Row by row and then over rows in order, so that the sums do not depend on the threads.
Status BlockEncoder::measure(int threads) {
  const std::size_t batch = kRowsMeasured * static_cast<std::size_t>(std::max(threads, 1));
  std::vector<Magnitudes> rows(std::min(batch, rows_));
  for (std::size_t first = 0; first < rows_; first += batch) {
    const std::size_t count = std::min(batch, rows_ - first);
    model::parallel_for(threads, count, [&](IndexRange range) {
      std::vector<float> weights(cols_);
      for (std::size_t i = range.begin; i < range.end; ++i) {
        source_(first + i, weights.data());
        rows[i] = {};
        rows[i].add(weights);
      }
    });
    for (std::size_t i = 0; i < count; ++i) {
      if (!std::isfinite(rows[i].sum)) {
        std::vector<float> weights(cols_);
        source_(first + i, weights.data());
        return not_finite(first + i, weights);
      }
      tensor_.add(rows[i]);
    }
  }
  return {};
}

Status BlockEncoder::encode(std::size_t first, std::size_t count, std::span<std::byte> out,
                            int threads) const {
  BANKAI_CHECK(first <= rows_ && count <= rows_ - first && out.size() == count * row_bytes_,
               "rows and bytes to encode");
  std::vector<Status> states(count);
  model::parallel_for(threads, count, [&](IndexRange range) {
    std::vector<float> weights(cols_);
    for (std::size_t i = range.begin; i < range.end; ++i) {
      source_(first + i, weights.data());
      states[i] = encode_row(first + i, weights,
                             reinterpret_cast<std::uint8_t*>(out.data()) + i * row_bytes_);
    }
  });
  for (Status& status : states) BANKAI_RETURN_IF_ERROR(std::move(status));
  return {};
}

Status BlockEncoder::encode_row(std::size_t row, std::span<const float> weights,
                                std::uint8_t* out) const {
  Magnitudes magnitudes;
  magnitudes.add(weights);
  if (!std::isfinite(magnitudes.sum)) return not_finite(row, weights);
  if (magnitudes.largest >= first_infinite(encoding_.type))
    return make_error(ErrorCode::kBadInput, "row %zu holds the weight %g, too large for %s", row,
                      static_cast<double>(magnitudes.largest),
                      std::string(kernels::tensor_type_info(encoding_.type).name).c_str());
  switch (encoding_.type) {
    case TensorType::kF32:
      if (!weights.empty()) std::memcpy(out, weights.data(), weights.size_bytes());
      break;
    case TensorType::kF16: encode_halves(weights, out, kernels::float_to_f16); break;
    case TensorType::kBF16: encode_halves(weights, out, float_to_bf16); break;
    case TensorType::kQ8_0: encode_q8(weights, encoding_.code_bits, out); break;
    default:
      encode_blocks(weights, encoding_.scope == ScaleScope::kTensor ? tensor_ : magnitudes, out);
  }
  return {};
}

// Q1_0 and the ternary types. `shared`: the magnitudes of what shares a scale, unless that is a
// block.
void BlockEncoder::encode_blocks(std::span<const float> weights, const Magnitudes& shared,
                                 std::uint8_t* out) const {
  const kernels::TensorTypeInfo& type = kernels::tensor_type_info(encoding_.type);
  std::uint8_t codes[kernels::kMaxTernaryBlock];
  for (std::size_t first = 0; first < weights.size(); first += type.block_weights) {
    const std::span<const float> block = weights.subspan(first, type.block_weights);
    Magnitudes own;
    if (encoding_.scope == ScaleScope::kGroup) own.add(block);
    const Magnitudes& scope = encoding_.scope == ScaleScope::kGroup ? own : shared;
    if (encoding_.type == TensorType::kQ1_0) {
      const std::uint16_t half = saturated_half(mean(scope));
      std::memcpy(out, &half, sizeof half);
      encode_signs(block, out + sizeof half);
    } else {
      const float scale = trit_scale(scope);
      encode_trits(block, scale, codes);
      kernels::encode_ternary_block(type.type, codes, saturated_half(scale), out);
    }
    out += type.block_bytes;
  }
}

Result<std::vector<std::byte>> encode_tensor(const BlockEncoding& encoding, std::size_t rows,
                                             std::size_t cols, const RowSource& source,
                                             int threads) {
  BANKAI_ASSIGN_OR_RETURN(const BlockEncoder encoder,
                          BlockEncoder::make(encoding, rows, cols, source, threads));
  std::vector<std::byte> bytes(rows * encoder.row_bytes());
  BANKAI_RETURN_IF_ERROR(encoder.encode(0, rows, bytes, threads));
  return bytes;
}

}  // namespace bankai::packer
