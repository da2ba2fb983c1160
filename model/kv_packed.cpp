#include "model/kv_packed.h"

#include <algorithm>
#include <cstring>

#include "kernels/kv_codes.h"
#include "model/code_ops.h"
#include "model/kv_rotation.h"

namespace bankai::model {
namespace {

using kernels::kKeyBlock;

std::size_t whole_blocks(std::size_t positions) {
  return (positions + kKeyBlock - 1) / kKeyBlock * kKeyBlock;
}

// Codes one after the other, the first in the lowest bits.
std::vector<std::uint8_t> in_order(const std::vector<std::uint8_t>& codes, std::size_t bits) {
  std::vector<std::uint8_t> packed((codes.size() * bits + 7) / 8);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t bit = i * bits;
    packed[bit / 8] = static_cast<std::uint8_t>(packed[bit / 8] | (unsigned{codes[i]} << bit % 8));
  }
  return packed;
}

std::vector<std::uint8_t> from_order(const std::vector<std::uint8_t>& packed, std::size_t bits,
                                     std::size_t count) {
  std::vector<std::uint8_t> codes(count);
  for (std::size_t i = 0; i < count; ++i)
    codes[i] = static_cast<std::uint8_t>((packed[i * bits / 8] >> i * bits % 8) &
                                         kernels::code_mask(bits));
  return codes;
}

}  // namespace

PackedKvHead::PackedKvHead(KvFormat format, std::size_t head_dim)
    : format_(format),
      head_dim_(head_dim),
      bits_(kv_storage_info(format.storage).bits),
      op_(code_op(bits_)) {}

void PackedKvHead::resize_metadata(Side& side, std::size_t count) const {
  if (format_.storage == KvStorage::kBits1) return;
  side.scales.resize(count);
  if (format_.storage != KvStorage::kSigns) side.minima.resize(count);
}

void PackedKvHead::set_metadata(Side& side, std::size_t position, KvMetadata metadata) const {
  if (!side.scales.empty()) side.scales[position] = metadata.scale;
  if (!side.minima.empty()) side.minima[position] = metadata.minimum;
}

KvMetadata PackedKvHead::metadata(const Side& side, std::size_t position) const {
  return {side.scales.empty() ? std::uint16_t{0} : side.scales[position],
          side.minima.empty() ? std::uint16_t{0} : side.minima[position]};
}

void PackedKvHead::resize(std::size_t count) {
  const std::size_t rows = whole_blocks(count);
  keys_.codes.resize(rows / kKeyBlock * key_block_bytes());
  values_.codes.resize(count * value_row_bytes());
  resize_metadata(keys_, rows);
  resize_metadata(values_, count);
}

std::size_t PackedKvHead::bytes() const {
  std::size_t total = 0;
  for (const Side* side : {&keys_, &values_})
    total += side->codes.size() + 2 * (side->scales.size() + side->minima.size());
  return total;
}

void PackedKvHead::set_key_codes(std::size_t position, const std::uint8_t* codes) {
  std::uint8_t* block = keys_.codes.data() + position / kKeyBlock * key_block_bytes();
  for (std::size_t d = 0; d < head_dim_; ++d)
    kernels::set_code(block + d * run_bytes(), bits_, position % kKeyBlock, codes[d]);
}

void PackedKvHead::set_value_codes(std::size_t position, const std::uint8_t* codes) {
  std::uint8_t* row = values_.codes.data() + position * value_row_bytes();
  for (std::size_t d = 0; d < head_dim_; ++d)
    kernels::set_code(row + d / 16 * run_bytes(), bits_, d % 16, codes[d]);
}

void PackedKvHead::write(const kernels::KernelTable& table, std::size_t position, const float* key,
                         const float* value) {
  thread_local std::vector<float> rotated;
  thread_local std::vector<std::uint8_t> codes;
  codes.resize(head_dim_);
  const auto quantise = [&](const float* x) {
    if (format_.rotates()) {
      rotated.assign(x, x + head_dim_);
      rotate_vector(rotated.data(), head_dim_);
      x = rotated.data();
    }
    return quantise_vector(table, format_, x, head_dim_, codes.data());
  };
  set_metadata(keys_, position, quantise(key));
  set_key_codes(position, codes.data());
  set_metadata(values_, position, quantise(value));
  set_value_codes(position, codes.data());
}

void PackedKvHead::copy_prefix(std::size_t from_position, std::size_t to_position,
                               std::size_t count) {
  const auto copy = [&](auto& array, std::size_t elements, std::size_t stride) {
    if (!array.empty() && elements > 0)
      std::memcpy(array.data() + to_position * stride / kKeyBlock,
                  array.data() + from_position * stride / kKeyBlock,
                  elements * sizeof array.front());
  };
  // Positions per element of an array differ: `stride` is elements per 16 positions.
  const std::size_t rows = whole_blocks(count);
  copy(keys_.codes, rows / kKeyBlock * key_block_bytes(), key_block_bytes());
  copy(keys_.scales, rows, kKeyBlock);
  copy(keys_.minima, rows, kKeyBlock);
  copy(values_.codes, count * value_row_bytes(), kKeyBlock * value_row_bytes());
  copy(values_.scales, count, kKeyBlock);
  copy(values_.minima, count, kKeyBlock);
}

// The scales (count) that the first codes of keys or values number.
void PackedKvHead::read_scale_codes(const Side& side, const std::uint8_t* codes, std::size_t count,
                                    float* scales) const {
  const std::size_t num_codes = kv_scale_codes(format_, head_dim_);
  std::vector<float> table(std::size_t{1} << num_codes);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = kv_coded_scale(i, num_codes);
  if (&side == &values_) {
    const auto mask = static_cast<std::uint8_t>(table.size() - 1);
    for (std::size_t j = 0; j < count; ++j) scales[j] = table[codes[j * value_row_bytes()] & mask];
    return;
  }
  for (std::size_t first = 0; first < count; first += kKeyBlock) {
    std::uint8_t numbers[kKeyBlock] = {};
    const std::uint8_t* block = codes + first / kKeyBlock * key_block_bytes();
    for (std::size_t d = 0; d < num_codes; ++d)
      for (std::size_t j = 0; j < kKeyBlock; ++j)
        numbers[j] = static_cast<std::uint8_t>(
            numbers[j] | kernels::get_code(block + d * run_bytes(), 1, j) << d);
    for (std::size_t j = 0; j < std::min(kKeyBlock, count - first); ++j)
      scales[first + j] = table[numbers[j]];
  }
}

kernels::PackedVectors PackedKvHead::vectors(const kernels::KernelTable& table, const Side& side,
                                             const std::uint8_t* codes, std::size_t first_position,
                                             std::size_t count) const {
  thread_local std::vector<float> scales, minima;
  scales.resize(count);
  minima.resize(count);
  const auto spread = [&] {  // ±scale: a step of twice the scale, from −scale
    for (std::size_t j = 0; j < count; ++j) {
      minima[j] = -scales[j];
      scales[j] *= 2.0F;
    }
  };
  switch (format_.storage) {
    case KvStorage::kBits1:
      if (kv_scale_codes(format_, head_dim_) > 0) {
        read_scale_codes(side, codes, count, scales.data());
        spread();
        break;
      }
      std::fill(scales.begin(), scales.end(), 1.0F);
      std::fill(minima.begin(), minima.end(), 0.0F);
      break;
    case KvStorage::kSigns:
      table.f16_to_f32(side.scales.data() + first_position, scales.data(), count);
      spread();
      break;
    default:
      table.f16_to_f32(side.scales.data() + first_position, scales.data(), count);
      table.f16_to_f32(side.minima.data() + first_position, minima.data(), count);
  }
  return {codes, scales.data(), minima.data()};
}

void PackedKvHead::score(const kernels::KernelTable& table, std::size_t first_position,
                         std::size_t num_positions, const float* queries, std::size_t num_queries,
                         float scale, float* out, std::size_t out_stride) const {
  const std::size_t rows = whole_blocks(num_positions);
  const std::uint8_t* codes = keys_.codes.data() + first_position / kKeyBlock * key_block_bytes();
  table.packed_scores[op_](queries, num_queries, head_dim_, head_dim_,
                           vectors(table, keys_, codes, first_position, rows), rows / kKeyBlock,
                           scale, out, out_stride);
}

void PackedKvHead::mix(const kernels::KernelTable& table, std::size_t first_position,
                       std::size_t num_positions, const float* weights, std::size_t weight_stride,
                       std::size_t num_queries, float* out) const {
  const std::uint8_t* codes = values_.codes.data() + first_position * value_row_bytes();
  table.packed_values[op_](weights, num_queries, weight_stride,
                           vectors(table, values_, codes, first_position, num_positions),
                           num_positions, head_dim_, out, head_dim_);
}

PackedKvVector PackedKvHead::key(std::size_t position) const {
  const std::uint8_t* block = keys_.codes.data() + position / kKeyBlock * key_block_bytes();
  std::vector<std::uint8_t> codes(head_dim_);
  for (std::size_t d = 0; d < head_dim_; ++d)
    codes[d] = kernels::get_code(block + d * run_bytes(), bits_, position % kKeyBlock);
  return {in_order(codes, bits_), metadata(keys_, position)};
}

PackedKvVector PackedKvHead::value(std::size_t position) const {
  const std::uint8_t* row = values_.codes.data() + position * value_row_bytes();
  std::vector<std::uint8_t> codes(head_dim_);
  for (std::size_t d = 0; d < head_dim_; ++d)
    codes[d] = kernels::get_code(row + d / 16 * run_bytes(), bits_, d % 16);
  return {in_order(codes, bits_), metadata(values_, position)};
}

void PackedKvHead::restore(std::size_t position, const PackedKvVector& key,
                           const PackedKvVector& value) {
  set_metadata(keys_, position, key.metadata);
  set_key_codes(position, from_order(key.codes, bits_, head_dim_).data());
  set_metadata(values_, position, value.metadata);
  set_value_codes(position, from_order(value.codes, bits_, head_dim_).data());
}

}  // namespace bankai::model
