// What a layer of a strictly binary model (docs/binary_models.md) is made of, for passes over whole
// texts and for those over what changes alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/binary_model.h"

namespace bankai::model {

// What of a query and a key meets slope · distance: the sum of products of signs (from −bits to
// bits), or the number of equal bits. They differ by a factor of 2 against the slope.
enum class PointerScore : std::uint8_t { kDot, kPopcount };

// A bit that differs takes 2 from a sum of signs and 1 from a count of equal bits.
constexpr std::int64_t bit_cost(PointerScore score) { return score == PointerScore::kDot ? 2 : 1; }

// A BinaryLinear as the kernels multiply it.
struct PackedLinear {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<std::uint64_t> panels;     // kernels/bit_panels.h
  std::vector<std::int32_t> thresholds;  // (rows)

  std::size_t in_words() const { return BinaryMatrix::words_of(cols); }
  std::size_t out_words() const { return BinaryMatrix::words_of(rows); }
};
PackedLinear pack_linear(const BinaryLinear& linear);

struct PackedLayer {
  PackedLinear q, k, v, o, gate, up, down;
};
PackedLayer pack_layer(const BinaryLayer& layer);

// The bits of one layer, (tokens, words of their width) each.
struct BinaryActivations {
  using Words = std::vector<std::uint64_t>;
  Words state;  // what the layer reads
  Words q, k, v;
  Words attended;  // what o reads
  Words o;
  Words gate, up;
  Words hidden;  // what down reads
  Words down;

  void resize(const BinaryShape& shape, std::size_t tokens);
};
inline constexpr BinaryActivations::Words BinaryActivations::*kActivationParts[] = {
    &BinaryActivations::state, &BinaryActivations::q,        &BinaryActivations::k,
    &BinaryActivations::v,     &BinaryActivations::attended, &BinaryActivations::o,
    &BinaryActivations::gate,  &BinaryActivations::up,       &BinaryActivations::hidden,
    &BinaryActivations::down};

// The sign of the sum of three ±1, bit by bit.
constexpr std::uint64_t majority(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  return (a & b) | (a & c) | (b & c);
}

// The product of signs, of one token: +1 where they are equal. gate, up, hidden: (words of
// feed_forward).
inline void multiply_signs(const std::uint64_t* gate, const std::uint64_t* up,
                           std::size_t feed_forward, std::uint64_t* hidden) {
  const std::size_t words = BinaryMatrix::words_of(feed_forward);
  for (std::size_t i = 0; i < words; ++i) hidden[i] = ~(gate[i] ^ up[i]);
  hidden[words - 1] &= BinaryMatrix::last_word_mask(feed_forward);
}

}  // namespace bankai::model
