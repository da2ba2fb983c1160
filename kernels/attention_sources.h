// What the attention ops read: keys in blocks of 16 positions and values in rows, as floats of
// either size or as packed codes. Each source gives vectors V of 16 floats (see attention_body.h);
// an element of a packed source is fma(code, scale, minimum) with the scale and the minimum of its
// position.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/kv_codes.h"
#include "kernels/lanes.h"

namespace bankai::kernels {
namespace {

template <KvType kType>
struct KvElement;
template <>
struct KvElement<KvType::kF16> {
  using Type = std::uint16_t;
  template <typename V, typename Lanes>
  static V load(const Type* from, Lanes lanes) {
    return V::load_half(from, lanes);
  }
};
template <>
struct KvElement<KvType::kF32> {
  using Type = float;
  template <typename V, typename Lanes>
  static V load(const Type* from, Lanes lanes) {
    return V::load(from, lanes);
  }
};

// Keys, transposed: element d of a block is that dimension of its 16 positions.
// kVectorsPerBlock: registers that a block occupies while its elements are read.
template <KvType kType>
struct FloatKeys {
  const typename KvElement<kType>::Type* keys;
  std::size_t block_stride;

  static constexpr std::size_t kVectorsPerBlock = 0;

  FloatKeys from(std::size_t block) const { return {keys + block * block_stride, block_stride}; }

  template <typename V>
  struct Block {
    const typename KvElement<kType>::Type* keys;
    V at(std::size_t d) const {
      return KvElement<kType>::template load<V>(keys + d * kKeyBlock, AllLanes{});
    }
  };
  template <typename V>
  Block<V> block(std::size_t index) const {
    return {keys + index * block_stride};
  }
};

template <std::size_t kBits>
struct PackedKeys {
  const std::uint8_t* codes;
  std::size_t block_bytes;
  const float *scales, *minima;  // of each position

  static constexpr std::size_t kVectorsPerBlock = 2;

  PackedKeys from(std::size_t block) const {
    return {codes + block * block_bytes, block_bytes, scales + block * kKeyBlock,
            minima + block * kKeyBlock};
  }

  template <typename V>
  struct Block {
    const std::uint8_t* codes;
    V scale, minimum;
    V at(std::size_t d) const {
      return V::fma(V::template load_codes<kBits>(codes + d * code_run_bytes(kBits)), scale,
                    minimum);
    }
  };
  template <typename V>
  Block<V> block(std::size_t index) const {
    return {codes + index * block_bytes, V::load(scales + index * kKeyBlock, AllLanes{}),
            V::load(minima + index * kKeyBlock, AllLanes{})};
  }
};

// Values: run r of a row is its dimensions 16 r … 16 r + 15.
template <KvType kType>
struct FloatRows {
  const typename KvElement<kType>::Type* values;
  std::size_t row_stride;

  static constexpr std::size_t kVectorsPerRow = 0;

  // REQUIRES: d is a multiple of 16.
  FloatRows from_dimension(std::size_t d) const { return {values + d, row_stride}; }

  template <typename V>
  struct Row {
    const typename KvElement<kType>::Type* values;
    template <typename Lanes>
    V run(std::size_t r, Lanes lanes) const {
      return KvElement<kType>::template load<V>(values + r * kLanes, lanes);
    }
  };
  template <typename V>
  Row<V> row(std::size_t j) const {
    return {values + j * row_stride};
  }
};

template <std::size_t kBits>
struct PackedRows {
  const std::uint8_t* codes;
  std::size_t row_bytes;         // whole runs
  const float *scales, *minima;  // of each row

  static constexpr std::size_t kVectorsPerRow = 2;

  PackedRows from_dimension(std::size_t d) const {
    return {codes + d / kLanes * code_run_bytes(kBits), row_bytes, scales, minima};
  }

  template <typename V>
  struct Row {
    const std::uint8_t* codes;
    V scale, minimum;
    template <typename Lanes>
    V run(std::size_t r, Lanes) const {
      return V::fma(V::template load_codes<kBits>(codes + r * code_run_bytes(kBits)), scale,
                    minimum);
    }
  };
  template <typename V>
  Row<V> row(std::size_t j) const {
    return {codes + j * row_bytes, V::broadcast(scales[j]), V::broadcast(minima[j])};
  }
};

}  // namespace
}  // namespace bankai::kernels
