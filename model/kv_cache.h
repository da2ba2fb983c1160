// Keys and values of past positions, as attention reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/hyperparameters.h"

namespace bankai::model {

using kernels::KvType;

constexpr std::size_t kv_element_bytes(KvType type) { return type == KvType::kF16 ? 2 : 4; }

// The keys and values of one layer, (positions, kv_dim) each: keys transposed in blocks of 16
// positions, values in rows (KernelTable::attention_scores).
class KvRows {
 public:
  KvRows(KvType type, std::size_t kv_dim) : type_(type), kv_dim_(kv_dim) {}

  // Room for positions [0, count); keeps what is there.
  void resize(std::size_t count);
  // Stores a position's key (after RoPE) and value, (kv_dim) each. Different positions may be
  // written from different threads.
  void write(const kernels::KernelTable& table, std::size_t position, const float* key,
             const float* value);

  // out[q · out_stride + j] = scale · (query q · key of position first_position + j), by the n
  // channels from first_channel on, for j < num_positions rounded up to 16; queries are
  // (num_queries, n). REQUIRES: first_position is a multiple of 16.
  void score(const kernels::KernelTable& table, std::size_t first_position,
             std::size_t num_positions, std::size_t first_channel, const float* queries,
             std::size_t num_queries, std::size_t n, float scale, float* out,
             std::size_t out_stride) const;
  // out (num_queries, n) += weights (q, j) · value of position first_position + j, j ascending.
  void mix(const kernels::KernelTable& table, std::size_t first_position, std::size_t num_positions,
           std::size_t first_channel, const float* weights, std::size_t weight_stride,
           std::size_t num_queries, std::size_t n, float* out) const;

 private:
  std::size_t element_bytes() const { return kv_element_bytes(type_); }

  KvType type_;
  std::size_t kv_dim_;
  std::vector<std::uint8_t> keys_, values_;
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
