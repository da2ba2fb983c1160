#include "model/kv_cache.h"

#include <cstring>

namespace bankai::model {
namespace {

using kernels::kKeyBlock;

template <typename T>
void write_elements(const T* key, const T* value, std::size_t head_dim, std::size_t position,
                    std::uint8_t* keys, std::uint8_t* values) {
  std::uint8_t* column =
      keys + (position / kKeyBlock * head_dim * kKeyBlock + position % kKeyBlock) * sizeof(T);
  for (std::size_t d = 0; d < head_dim; ++d)
    std::memcpy(column + d * kKeyBlock * sizeof(T), key + d, sizeof(T));
  std::memcpy(values + position * head_dim * sizeof(T), value, head_dim * sizeof(T));
}

}  // namespace

std::size_t kv_bytes_per_position(const Hyperparameters& parameters, const KvFormat& format) {
  return parameters.num_layers * parameters.num_kv_heads *
         (kv_key_bytes(format, parameters.head_dim) + kv_value_bytes(format, parameters.head_dim));
}

KvRows::KvRows(KvFormat format, std::size_t num_heads, std::size_t head_dim)
    : format_(format),
      head_dim_(head_dim),
      heads_(format.is_packed() ? 0 : num_heads),
      packed_heads_(format.is_packed() ? num_heads : 0, PackedKvHead(format, head_dim)) {}

std::size_t KvRows::bytes() const {
  std::size_t total = 0;
  for (const Head& head : heads_) total += head.keys.size() + head.values.size();
  for (const PackedKvHead& head : packed_heads_) total += head.bytes();
  return total;
}

void KvRows::resize(std::size_t count) {
  for (PackedKvHead& head : packed_heads_) head.resize(count);
  const std::size_t rows = round_up_to_key_block(count);
  for (Head& head : heads_) {
    head.keys.resize(rows * row_bytes());
    head.values.resize(count * row_bytes());
  }
}

void KvRows::write(const kernels::KernelTable& table, std::size_t head, std::size_t position,
                   const float* key, const float* value) {
  if (format_.is_packed()) return packed_heads_[head].write(table, position, key, value);
  std::uint8_t* keys = heads_[head].keys.data();
  std::uint8_t* values = heads_[head].values.data();
  if (format_.storage == KvStorage::kF32) {
    write_elements(key, value, head_dim_, position, keys, values);
    return;
  }
  thread_local std::vector<std::uint16_t> halves;
  halves.resize(2 * head_dim_);
  table.f32_to_f16(key, halves.data(), head_dim_);
  table.f32_to_f16(value, halves.data() + head_dim_, head_dim_);
  write_elements(halves.data(), halves.data() + head_dim_, head_dim_, position, keys, values);
}

void KvRows::copy_prefix(std::size_t head, std::size_t from_position, std::size_t to_position,
                         std::size_t count) {
  if (format_.is_packed())
    return packed_heads_[head].copy_prefix(from_position, to_position, count);
  std::uint8_t* keys = heads_[head].keys.data();
  std::uint8_t* values = heads_[head].values.data();
  const std::size_t rows = round_up_to_key_block(count);
  std::memcpy(keys + to_position * row_bytes(), keys + from_position * row_bytes(),
              rows * row_bytes());
  std::memcpy(values + to_position * row_bytes(), values + from_position * row_bytes(),
              count * row_bytes());
}

void KvRows::score(const kernels::KernelTable& table, std::size_t head, std::size_t first_position,
                   std::size_t num_positions, const float* queries, std::size_t num_queries,
                   float scale, float* out, std::size_t out_stride) const {
  if (format_.is_packed())
    return packed_heads_[head].score(table, first_position, num_positions, queries, num_queries,
                                     scale, out, out_stride);
  table.attention_scores[static_cast<std::size_t>(format_.float_type())](
      queries, num_queries, head_dim_, head_dim_,
      heads_[head].keys.data() + first_position * row_bytes(),
      (num_positions + kKeyBlock - 1) / kKeyBlock, head_dim_ * kKeyBlock, scale, out, out_stride);
}

void KvRows::mix(const kernels::KernelTable& table, std::size_t head, std::size_t first_position,
                 std::size_t num_positions, const float* weights, std::size_t weight_stride,
                 std::size_t num_queries, float* out) const {
  if (format_.is_packed())
    return packed_heads_[head].mix(table, first_position, num_positions, weights, weight_stride,
                                   num_queries, out);
  table.attention_values[static_cast<std::size_t>(format_.float_type())](
      weights, num_queries, weight_stride,
      heads_[head].values.data() + first_position * row_bytes(), head_dim_, num_positions,
      head_dim_, out, head_dim_);
}

void KvCache::set_positions(std::size_t count) {
  for (KvRows& layer : layers_) layer.resize(count);
  positions_ = count;
}

}  // namespace bankai::model
