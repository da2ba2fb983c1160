// Keys and values of past positions, as attention reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/hyperparameters.h"

namespace bankai::model {

enum class KvType : std::uint8_t { kF16, kF32 };

// The keys and values of one layer: rows of kv_dim elements, one per position.
class KvRows {
 public:
  KvRows(KvType type, std::size_t kv_dim) : type_(type), kv_dim_(kv_dim) {}

  // Room for rows [0, count); keeps what is there.
  void resize(std::size_t count);
  // Stores a position's key (after RoPE) and value, (kv_dim) each. Different rows may be written
  // from different threads.
  void write(const kernels::KernelTable& table, std::size_t row, const float* key,
             const float* value);
  // query · key over `n` elements from `first` of the row.
  float dot_key(const kernels::KernelTable& table, std::size_t row, std::size_t first,
                const float* query, std::size_t n) const;
  // out += weight · value over `n` elements from `first` of the row.
  void add_value(const kernels::KernelTable& table, std::size_t row, std::size_t first,
                 float weight, float* out, std::size_t n) const;

 private:
  KvType type_;
  std::size_t kv_dim_;
  std::vector<float> keys_f32_, values_f32_;
  std::vector<std::uint16_t> keys_f16_, values_f16_;
};

// All layers of one sequence.
class KvCache {
 public:
  KvCache(const Hyperparameters& parameters, KvType type)
      : layers_(parameters.num_layers, KvRows(type, parameters.kv_dim())) {}

  KvRows& layer(std::size_t index) { return layers_[index]; }
  std::size_t positions() const { return positions_; }
  // The positions that are filled; more than before makes room, fewer forgets the last ones.
  void set_positions(std::size_t count);

 private:
  std::vector<KvRows> layers_;
  std::size_t positions_ = 0;
};

}  // namespace bankai::model
