#include "model/kv_cache.h"

#include <algorithm>

namespace bankai::model {

void KvRows::resize(std::size_t count) {
  if (type_ == KvType::kF16) {
    keys_f16_.resize(count * kv_dim_);
    values_f16_.resize(count * kv_dim_);
  } else {
    keys_f32_.resize(count * kv_dim_);
    values_f32_.resize(count * kv_dim_);
  }
}

void KvRows::write(const kernels::KernelTable& table, std::size_t row, const float* key,
                   const float* value) {
  const std::size_t first = row * kv_dim_;
  if (type_ == KvType::kF16) {
    table.f32_to_f16(key, keys_f16_.data() + first, kv_dim_);
    table.f32_to_f16(value, values_f16_.data() + first, kv_dim_);
  } else {
    std::copy_n(key, kv_dim_, keys_f32_.data() + first);
    std::copy_n(value, kv_dim_, values_f32_.data() + first);
  }
}

float KvRows::dot_key(const kernels::KernelTable& table, std::size_t row, std::size_t first,
                      const float* query, std::size_t n) const {
  const std::size_t index = row * kv_dim_ + first;
  if (type_ == KvType::kF16) return table.dot_f16(query, keys_f16_.data() + index, n);
  return table.dot_f32(query, keys_f32_.data() + index, n);
}

void KvRows::add_value(const kernels::KernelTable& table, std::size_t row, std::size_t first,
                       float weight, float* out, std::size_t n) const {
  const std::size_t index = row * kv_dim_ + first;
  if (type_ == KvType::kF16) {
    table.axpy_f16(weight, values_f16_.data() + index, out, n);
  } else {
    table.axpy_f32(weight, values_f32_.data() + index, out, n);
  }
}

void KvCache::set_positions(std::size_t count) {
  for (KvRows& layer : layers_) layer.resize(count);
  positions_ = count;
}

}  // namespace bankai::model
