// Keys and values of one head as codes, in memory as attention reads them: keys transposed in
// blocks of 16 positions, values in rows (KernelTable::packed_scores). Rows and positions as in
// KvRows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/kv_quantiser.h"

namespace bankai::model {

// One vector as it is stored outside: codes in order, the first in the lowest bits, padded with 0
// to a whole byte.
struct PackedKvVector {
  std::vector<std::uint8_t> codes;
  KvMetadata metadata;
  bool operator==(const PackedKvVector&) const = default;
};

class PackedKvHead {
 public:
  PackedKvHead(KvFormat format, std::size_t head_dim);

  void resize(std::size_t count);
  // Quantises a position's key and value, which are rotated first where the format rotates. Must
  // not run at the same time for two positions of a block of 16.
  void write(const kernels::KernelTable& table, std::size_t position, const float* key,
             const float* value);
  void copy_prefix(std::size_t from_position, std::size_t to_position, std::size_t count);

  void score(const kernels::KernelTable& table, std::size_t first_position,
             std::size_t num_positions, const float* queries, std::size_t num_queries, float scale,
             float* out, std::size_t out_stride) const;
  void mix(const kernels::KernelTable& table, std::size_t first_position, std::size_t num_positions,
           const float* weights, std::size_t weight_stride, std::size_t num_queries,
           float* out) const;

  PackedKvVector key(std::size_t position) const;
  PackedKvVector value(std::size_t position) const;
  // Puts back what key() and value() gave. REQUIRES: vectors of this format and size.
  void restore(std::size_t position, const PackedKvVector& key, const PackedKvVector& value);

  // What the positions take.
  std::size_t bytes() const;

 private:
  // The side of keys, or that of values.
  struct Side {
    std::vector<std::uint8_t> codes;
    std::vector<std::uint16_t> scales, minima;
  };
  std::size_t run_bytes() const { return 2 * bits_; }
  std::size_t key_block_bytes() const { return head_dim_ * run_bytes(); }
  std::size_t value_row_bytes() const { return (head_dim_ + 15) / 16 * run_bytes(); }

  void resize_metadata(Side& side, std::size_t count) const;
  void set_metadata(Side& side, std::size_t position, KvMetadata metadata) const;
  KvMetadata metadata(const Side& side, std::size_t position) const;
  void set_key_codes(std::size_t position, const std::uint8_t* codes);
  void set_value_codes(std::size_t position, const std::uint8_t* codes);
  void read_scale_codes(const Side& side, const std::uint8_t* codes, std::size_t count,
                        float* scales) const;
  // Scales and minima of positions as floats, in memory of the thread.
  kernels::PackedVectors vectors(const kernels::KernelTable& table, const Side& side,
                                 const std::uint8_t* codes, std::size_t first_position,
                                 std::size_t count) const;

  KvFormat format_;
  std::size_t head_dim_;
  std::size_t bits_;
  std::size_t op_;  // index into packed_scores and packed_values
  Side keys_, values_;
};

}  // namespace bankai::model
