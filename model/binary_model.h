// A strictly binary language model: every weight and every activation is +1 or −1, kept as a bit
// (1 → +1, 0 → −1). Holds values only; bit1_file.h reads and writes it, binary_transformer.h runs
// it. What it computes: docs/binary_models.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bankai::model {

// Rows of ceil(cols / 64) words, column j at bit j mod 64 of word j / 64; bits beyond cols are 0.
struct BinaryMatrix {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<std::uint64_t> bits;  // (rows, words_of(cols))

  static constexpr std::size_t words_of(std::size_t num_bits) { return (num_bits + 63) / 64; }
  // The bits of the last word of a row that are columns.
  static constexpr std::uint64_t last_word_mask(std::size_t num_bits) {
    return num_bits % 64 == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << num_bits % 64) - 1;
  }
  std::size_t row_words() const { return words_of(cols); }
  const std::uint64_t* row(std::size_t index) const { return bits.data() + index * row_words(); }
};

// The matrix as the kernels multiply it (kernels/bit_panels.h).
std::vector<std::uint64_t> to_panels(const BinaryMatrix& matrix);

// out_r = +1 where Σ_c weight(r, c) · in_c reaches thresholds[r].
struct BinaryLinear {
  BinaryMatrix weights;
  std::vector<std::int32_t> thresholds;  // (rows)
};

struct BinaryLayer {
  std::vector<std::int32_t> slopes;  // (heads): what a position of distance costs a score
  BinaryLinear q, k, v, o;           // (width, width)
  BinaryLinear gate, up;             // (feed_forward, width)
  BinaryLinear down;                 // (width, feed_forward)
};

struct BinaryShape {
  std::size_t vocabulary = 0;
  std::size_t width = 0;  // elements of the residual stream, a multiple of heads
  std::size_t num_layers = 0;
  std::size_t num_heads = 0;
  std::size_t feed_forward = 0;
  std::size_t context = 0;  // positions that the model was made for

  std::size_t head_bits() const { return width / num_heads; }
  // Bits of embedding, layers and codebook.
  std::uint64_t num_weights() const {
    return 2 * vocabulary * width + num_layers * (4 * width * width + 3 * width * feed_forward);
  }
};

// The seven matrices of a layer in the order of a file; `visit(name, linear, rows, cols)`.
template <typename Layer, typename Visit>
void for_each_linear(const BinaryShape& shape, Layer& layer, const Visit& visit) {
  visit("q", layer.q, shape.width, shape.width);
  visit("k", layer.k, shape.width, shape.width);
  visit("v", layer.v, shape.width, shape.width);
  visit("o", layer.o, shape.width, shape.width);
  visit("gate", layer.gate, shape.feed_forward, shape.width);
  visit("up", layer.up, shape.feed_forward, shape.width);
  visit("down", layer.down, shape.width, shape.feed_forward);
}

// The logit of token v after a state x is logit_multiplier · Σ_c codebook(v, c) · x_c + biases[v],
// which is below 2^62 in size for every x.
struct BinaryModel {
  BinaryShape shape;
  std::int64_t logit_multiplier = 65536;
  BinaryMatrix embedding;  // (vocabulary, width)
  std::vector<BinaryLayer> layers;
  BinaryMatrix codebook;             // (vocabulary, width)
  std::vector<std::int64_t> biases;  // (vocabulary)
};

// Makes an output +1 only where its sum is greater than the threshold that the model had.
void raise_thresholds(BinaryModel& model);

}  // namespace bankai::model
