// Weights of panels as bytes, in the order of a tile's right factor (amx_tiles.h): a line is 16
// rows of weights × 4 columns. AVX-512 F, BW.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/panels.h"

namespace bankai::kernels {
namespace {

// The weights of a panel's rows 0 to 15 and 16 to 31, for 64 columns.
struct WeightTiles {
  __m512i lines[2][16];
};

// The weights of 16 columns of 16 rows: to[j] has columns 4 j … 4 j + 3. `planes`: the line of
// words, and for two bits its second plane's; half: rows 0 to 15 or 16 to 31.
template <std::size_t kBits>
void unpack_words(const __m512i* planes, std::size_t half, __m512i* to) {
  const __m512i lane_start =
      _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0x04040404, 0x08080808, 0x0C0C0C0C));
  for (std::size_t j = 0; j < 4; ++j) {
    // Columns 4 j … 4 j + 3 are half a byte: byte j / 2 of the word that lies in lane 2 i + half.
    const char byte = static_cast<char>(2 * half + j / 2);
    const __m512i place = _mm512_add_epi8(lane_start, _mm512_set1_epi8(byte));
    const __m512i bits =
        _mm512_set1_epi32(static_cast<int>(j % 2 == 0 ? 0x08040201U : 0x80402010U));
    const auto is_set = [&](std::size_t plane) {
      return _mm512_test_epi8_mask(_mm512_shuffle_epi8(planes[plane], place), bits);
    };
    __m512i weights = _mm512_set1_epi8(-1);
    if constexpr (kBits == 1) {
      weights = _mm512_mask_mov_epi8(weights, is_set(0), _mm512_set1_epi8(1));
    } else {
      weights = _mm512_maskz_mov_epi8(static_cast<__mmask64>(~is_set(0)), weights);
      weights = _mm512_mask_add_epi8(weights, is_set(1), weights, _mm512_set1_epi8(2));
    }
    to[j] = weights;
  }
}

// planes: the lines of a run of bits after its scales; to: run_cols / 64 tiles.
template <std::size_t kBits>
void unpack_bits(const std::uint8_t* planes, std::size_t run_cols, WeightTiles* to) {
  for (std::size_t word = 0; word < run_cols / 16; ++word) {
    __m512i bits[kBits];
    for (std::size_t plane = 0; plane < kBits; ++plane)
      bits[plane] = _mm512_load_si512(planes + (plane * run_cols / 16 + word) * kLineBytes);
    for (std::size_t half = 0; half < 2; ++half)
      unpack_words<kBits>(bits, half, &to[word / 4].lines[half][word % 4 * 4]);
  }
}

}  // namespace
}  // namespace bankai::kernels
