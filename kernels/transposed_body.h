// KernelTable::gemm_transposed for x86, written once for a type R of one register whose 32-bit
// lanes are columns and whose bytes are four rows:
//   Ints, kColumns                   the register and its lanes
//   Sums                             the same, as multiply_add adds it up
//   Lanes                            the type of 16 float lanes that quantises
//   kPlanesAtOnce                    rows of digits that meet kSetsAtOnce registers of weights:
//                                    their sums must find a register
//   broadcast, all_bytes             one lane for all, one byte for all
//   spread_bits(words, part)         four words of 16 bits as bytes, 2 where a bit is set, for the
//                                    columns from part · kColumns on: lane = bit, byte = word
//   multiply_add(sums, a, b)         + a · b, bytes without and with sign, in a form that is exact
//                                    for 128 rows and that finished(sums) turns into 32-bit lanes
//   minus, combined                  a − b, 255 · high + low
//   add_scaled(dots, scale, sums)    fma(float(dots), scale, sums) in memory
//
// A block of 128 rows × 128 columns is unpacked once for a tile of tokens, as bytes {0, 2}: 2 b − 1
// times v is 2 b · v less v, and Σ v is taken off once for all columns. The bits of four rows that
// lie side by side in a panel's line make a register, so digits are put into that order: rows i and
// 16 + i of a panel alternate.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/panels.h"
#include "kernels/quantize_body.h"

namespace bankai::kernels {
namespace {

// What a block of 128 rows × 128 columns needs to meet a tile of tokens.
template <typename R, bool kFine>
class TransposedTile {
 public:
  static constexpr std::size_t kTokens = 64;
  static constexpr std::size_t kPanels = kGroupCols / kPanelRows;

  // Unpacks one group of columns of up to kPanels panels, which begin at lines + i · panel_stride.
  void load_weights(const std::uint8_t* lines, std::size_t panel_stride, std::size_t panels) {
    num_quads_ = panels * kPanelQuads;
    for (std::size_t p = 0; p < panels; ++p) {
      const std::uint8_t* run = lines + p * panel_stride;
      load_scales(run, row_scales_ + p * kPanelRows);
      for (std::size_t set = 0; set < kSets; ++set) {
        const std::size_t col = set * R::kColumns;
        const std::uint8_t* words = run + (1 + col / 16) * kLineBytes;
        for (std::size_t quad = 0; quad < kPanelQuads; ++quad)
          weights_[set / kSetsAtOnce][p * kPanelQuads + quad][set % kSetsAtOnce] =
              R::spread_bits(words + 8 * quad, col % 16 / R::kColumns);
      }
    }
  }

  // gradient: of the block's first row; it has `rows` of them.
  void set_gradient(std::size_t token, const float* gradient, std::size_t rows) {
    using Lanes = typename R::Lanes;
    float products[kGroupCols];
    if (rows < kGroupCols) __builtin_memset(products, 0, sizeof products);
    for_each_block(rows, [&](std::size_t i, auto lanes) {
      (Lanes::load(gradient + i, lanes) * Lanes::load(row_scales_ + i, lanes))
          .store(products + i, lanes);
    });
    std::int8_t digits[kPlanes][kGroupCols];
    if constexpr (kFine)
      quantize_a16<Lanes>(products, kGroupCols, digits[0], digits[1], &steps_[token]);
    else
      quantize_a8<Lanes>(products, kGroupCols, digits[0], &steps_[token]);
    for (std::size_t plane = 0; plane < kPlanes; ++plane)
      set_digits(digits[plane], token * kPlanes + plane);
  }

  // Adds the block to out[t · out_stride + c].
  void add_products(std::size_t num_tokens, float* out, std::size_t out_stride) const {
    constexpr std::size_t kTokensAtOnce = R::kPlanesAtOnce / kPlanes;
    for (std::size_t part = 0; part < kSets / kSetsAtOnce; ++part) {
      float* sums = out + part * kSetsAtOnce * R::kColumns;
      std::size_t token = 0;
      for (; token + kTokensAtOnce <= num_tokens; token += kTokensAtOnce)
        multiply<kTokensAtOnce>(part, token, sums + token * out_stride, out_stride);
      for (; token < num_tokens; ++token)
        multiply<1>(part, token, sums + token * out_stride, out_stride);
    }
  }

 private:
  using Ints = typename R::Ints;
  using Sums = typename R::Sums;
  static constexpr std::size_t kPlanes = kFine ? 2 : 1;
  static constexpr std::size_t kPanelQuads = kPanelRows / 4;
  static constexpr std::size_t kSets = kGroupCols / R::kColumns;
  static constexpr std::size_t kSetsAtOnce = 4;

  static void load_scales(const std::uint8_t* line, float* scales) {
    std::uint16_t lanes[kPanelRows];
    __builtin_memcpy(lanes, line, sizeof lanes);
    std::uint16_t halves[kPanelRows];
    for (std::size_t i = 0; i < kPanelRows / 2; ++i) {
      halves[i] = lanes[2 * i];
      halves[kPanelRows / 2 + i] = lanes[2 * i + 1];
    }
    for (std::size_t i = 0; i < kPanelRows; i += kLanes)
      R::Lanes::load_half(halves + i, AllLanes{}).store(scales + i, AllLanes{});
  }

  void set_digits(const std::int8_t* digits, std::size_t row) {
    const auto pair_sums = [](__m128i bytes) { return _mm_maddubs_epi16(_mm_set1_epi8(1), bytes); };
    __m128i sums = _mm_setzero_si128();
    for (std::size_t i = 0; i < kGroupCols; i += kPanelRows) {
      const __m128i* from = reinterpret_cast<const __m128i*>(digits + i);
      const __m128i first = _mm_loadu_si128(from);
      const __m128i second = _mm_loadu_si128(from + 1);
      __m128i* to = reinterpret_cast<__m128i*>(digits_[row] + i);
      _mm_store_si128(to, _mm_unpacklo_epi8(first, second));
      _mm_store_si128(to + 1, _mm_unpackhi_epi8(first, second));
      sums = _mm_add_epi16(sums, _mm_add_epi16(pair_sums(first), pair_sums(second)));
    }
    sums = _mm_madd_epi16(sums, _mm_set1_epi16(1));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0x4E));
    digit_sums_[row] = _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0xB1)));
  }

  template <std::size_t kTokensAtOnce>
  void multiply(std::size_t part, std::size_t token, float* out, std::size_t out_stride) const {
    constexpr std::size_t kRows = kTokensAtOnce * kPlanes;
    const std::size_t row = token * kPlanes;
    Sums sums[kRows][kSetsAtOnce];
    for (std::size_t i = 0; i < kRows; ++i)
      for (std::size_t set = 0; set < kSetsAtOnce; ++set) sums[i][set] = Sums{};
    for (std::size_t quad = 0; quad < num_quads_; ++quad) {
      Ints weights[kSetsAtOnce];
      for (std::size_t set = 0; set < kSetsAtOnce; ++set) weights[set] = weights_[part][quad][set];
      for (std::size_t i = 0; i < kRows; ++i) {
        const Ints digits = R::broadcast(digits_[row + i] + 4 * quad);
        for (std::size_t set = 0; set < kSetsAtOnce; ++set)
          sums[i][set] = R::multiply_add(sums[i][set], weights[set], digits);
      }
    }
    for (std::size_t t = 0; t < kTokensAtOnce; ++t)
      for (std::size_t set = 0; set < kSetsAtOnce; ++set) {
        const auto dots = [&](std::size_t plane) {
          const std::size_t i = t * kPlanes + plane;
          return R::minus(R::finished(sums[i][set]), digit_sums_[row + i]);
        };
        R::add_scaled(kFine ? R::combined(dots(0), dots(kPlanes - 1)) : dots(0), steps_[token + t],
                      out + t * out_stride + set * R::kColumns);
      }
  }

  std::size_t num_quads_;  // of rows in the block
  Ints weights_[kSets / kSetsAtOnce][kGroupCols / 4][kSetsAtOnce];
  float row_scales_[kGroupCols];
  alignas(64) std::int8_t digits_[kTokens * kPlanes][kGroupCols];
  std::int32_t digit_sums_[kTokens * kPlanes];
  float steps_[kTokens];
};

template <typename R, bool kFine>
void multiply_transposed(const Panels& weights, std::size_t first_group, std::size_t num_groups,
                         const float* gradient, std::size_t tokens, std::size_t gradient_stride,
                         float* out, std::size_t out_stride) {
  using Tile = TransposedTile<R, kFine>;
  const std::size_t panel_stride = panel_bytes(weights.format, weights.cols);
  const std::size_t group_bytes = panel_bytes(weights.format, kGroupCols);
  const std::size_t panels = num_panels(weights.rows);
  Tile tile;
  for (std::size_t token = 0; token < tokens; token += Tile::kTokens) {
    const std::size_t tile_tokens = tokens - token < Tile::kTokens ? tokens - token : Tile::kTokens;
    const float* tile_gradient = gradient + token * gradient_stride;
    for (std::size_t group = 0; group < num_groups; ++group) {
      float* sums = out + token * out_stride + group * kGroupCols;
      for (std::size_t t = 0; t < tile_tokens; ++t)
        __builtin_memset(sums + t * out_stride, 0, kGroupCols * sizeof(float));
      for (std::size_t panel = 0; panel < panels; panel += Tile::kPanels) {
        const std::size_t row = panel * kPanelRows;
        const std::size_t rows_left = weights.rows - row;
        const std::size_t rows = rows_left < kGroupCols ? rows_left : kGroupCols;
        tile.load_weights(
            weights.lines + panel * panel_stride + (first_group + group) * group_bytes,
            panel_stride, num_panels(rows));
        for (std::size_t t = 0; t < tile_tokens; ++t)
          tile.set_gradient(t, tile_gradient + t * gradient_stride + row, rows);
        tile.add_products(tile_tokens, sums, out_stride);
      }
    }
  }
}

template <typename R>
void gemm_transposed(const Panels& weights, std::size_t first_group, std::size_t num_groups,
                     const float* gradient, std::size_t tokens, std::size_t gradient_stride,
                     bool fine, float* out, std::size_t out_stride) {
  (fine ? multiply_transposed<R, true>
        : multiply_transposed<R, false>)(weights, first_group, num_groups, gradient, tokens,
                                         gradient_stride, out, out_stride);
}

}  // namespace
}  // namespace bankai::kernels
