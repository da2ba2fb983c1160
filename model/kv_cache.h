// Keys and values of past positions, as attention reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/hyperparameters.h"
#include "model/kv_format.h"
#include "model/kv_packed.h"

namespace bankai::model {

// Keys are kept in blocks of kernels::kKeyBlock positions: room for so many.
constexpr std::size_t round_up_to_key_block(std::size_t positions) {
  return (positions + kernels::kKeyBlock - 1) / kernels::kKeyBlock * kernels::kKeyBlock;
}

// Bytes that a position takes in all layers.
std::size_t kv_bytes_per_position(const Hyperparameters& parameters, const KvFormat& format);

// The keys and values of one layer: for each head (positions, head_dim) of either, so that reading
// a head is one walk through memory. Keys are transposed in blocks of 16 positions
// (KernelTable::attention_scores).
class KvRows {
 public:
  KvRows(KvFormat format, std::size_t num_heads, std::size_t head_dim);

  const KvFormat& format() const { return format_; }

  // Room for positions [0, count); keeps what is there.
  void resize(std::size_t count);
  // Stores a position's key (after RoPE) and value of one head, (head_dim) each. Different heads,
  // and positions of different blocks of 16, may be written from different threads.
  void write(const kernels::KernelTable& table, std::size_t head, std::size_t position,
             const float* key, const float* value);

  // Copies `count` positions of one head from `from_position` to `to_position`. REQUIRES: both are
  // multiples of 16; what the last block of 16 keys there holds beyond them is lost.
  void copy_prefix(std::size_t head, std::size_t from_position, std::size_t to_position,
                   std::size_t count);

  // Where the format rotates (kv_quantiser.h), score() takes rotated queries, and mix() adds
  // rotated values. out[q · out_stride + j] = scale · (query q · key of position first_position +
  // j), for j < num_positions rounded up to 16; queries are (num_queries, head_dim). REQUIRES:
  // first_position is a multiple of 16.
  void score(const kernels::KernelTable& table, std::size_t head, std::size_t first_position,
             std::size_t num_positions, const float* queries, std::size_t num_queries, float scale,
             float* out, std::size_t out_stride) const;
  // out (num_queries, head_dim) += weights (q, j) · value of position first_position + j, j
  // ascending.
  void mix(const kernels::KernelTable& table, std::size_t head, std::size_t first_position,
           std::size_t num_positions, const float* weights, std::size_t weight_stride,
           std::size_t num_queries, float* out) const;

  // A head's codes. REQUIRES: the format is packed.
  const PackedKvHead& packed(std::size_t head) const { return packed_heads_[head]; }
  PackedKvHead& packed(std::size_t head) { return packed_heads_[head]; }
  // What the positions take.
  std::size_t bytes() const;

 private:
  struct Head {
    std::vector<std::uint8_t> keys, values;
  };
  std::size_t row_bytes() const { return head_dim_ * kv_storage_info(format_.storage).bits / 8; }

  KvFormat format_;
  std::size_t head_dim_;
  std::vector<Head> heads_;                 // of floats
  std::vector<PackedKvHead> packed_heads_;  // or of codes
};

// All layers of one sequence.
class KvCache {
 public:
  KvCache(const Hyperparameters& parameters, KvFormat format)
      : layers_(parameters.num_layers,
                KvRows(format, parameters.num_kv_heads, parameters.head_dim)) {}

  KvRows& layer(std::size_t index) { return layers_[index]; }
  std::size_t positions() const { return positions_; }
  // The positions that are filled; more than before makes room, fewer forgets the last ones.
  void set_positions(std::size_t count);

 private:
  std::vector<KvRows> layers_;
  std::size_t positions_ = 0;
};

}  // namespace bankai::model
