#include "model/kv_cache.h"

#include <cstring>

namespace bankai::model {
namespace {

using kernels::kKeyBlock;

template <typename T>
void write_elements(const T* key, const T* value, std::size_t kv_dim, std::size_t position,
                    std::uint8_t* keys, std::uint8_t* values) {
  std::uint8_t* to =
      keys + (position / kKeyBlock * kv_dim * kKeyBlock + position % kKeyBlock) * sizeof(T);
  for (std::size_t c = 0; c < kv_dim; ++c)
    std::memcpy(to + c * kKeyBlock * sizeof(T), key + c, sizeof(T));
  std::memcpy(values + position * kv_dim * sizeof(T), value, kv_dim * sizeof(T));
}

}  // namespace

void KvRows::resize(std::size_t count) {
  const std::size_t blocks = (count + kKeyBlock - 1) / kKeyBlock;
  keys_.resize(blocks * kKeyBlock * kv_dim_ * element_bytes());
  values_.resize(count * kv_dim_ * element_bytes());
}

void KvRows::write(const kernels::KernelTable& table, std::size_t position, const float* key,
                   const float* value) {
  if (type_ == KvType::kF32) {
    write_elements(key, value, kv_dim_, position, keys_.data(), values_.data());
    return;
  }
  thread_local std::vector<std::uint16_t> halves;
  halves.resize(2 * kv_dim_);
  table.f32_to_f16(key, halves.data(), kv_dim_);
  table.f32_to_f16(value, halves.data() + kv_dim_, kv_dim_);
  write_elements(halves.data(), halves.data() + kv_dim_, kv_dim_, position, keys_.data(),
                 values_.data());
}

void KvRows::score(const kernels::KernelTable& table, std::size_t first_position,
                   std::size_t num_positions, std::size_t first_channel, const float* queries,
                   std::size_t num_queries, std::size_t n, float scale, float* out,
                   std::size_t out_stride) const {
  const std::size_t first =
      (first_position * kv_dim_ + first_channel * kKeyBlock) * element_bytes();
  table.attention_scores[static_cast<std::size_t>(type_)](
      queries, num_queries, n, n, keys_.data() + first, (num_positions + kKeyBlock - 1) / kKeyBlock,
      kv_dim_ * kKeyBlock, scale, out, out_stride);
}

void KvRows::mix(const kernels::KernelTable& table, std::size_t first_position,
                 std::size_t num_positions, std::size_t first_channel, const float* weights,
                 std::size_t weight_stride, std::size_t num_queries, std::size_t n,
                 float* out) const {
  const std::size_t first = (first_position * kv_dim_ + first_channel) * element_bytes();
  table.attention_values[static_cast<std::size_t>(type_)](weights, num_queries, weight_stride,
                                                          values_.data() + first, kv_dim_,
                                                          num_positions, n, out, n);
}

void KvCache::set_positions(std::size_t count) {
  for (KvRows& layer : layers_) layer.resize(count);
  positions_ = count;
}

}  // namespace bankai::model
