// Products of ±1 with ±1 (KernelTable::xnor_gemm, xnor_threshold) for x86, written once for a type
// V of one register of kWords 64-bit words:
//   Vector, Mask               the register; which words of it exist
//   first_words(n)             the first n words, all if n >= kWords
//   load(p), load(p, mask)     all words from memory; those that exist, else zeros
//   broadcast(w)               a word in all lanes
//   transposed_load            kWords words of as many rows: register w has word w of every row
//   add_count(sum, x)          sum + the number of bits of x, in lanes that hold 31 words' counts
//   kWideCounts                … or any number of them
//   widened(sum)               such sums in 64-bit lanes
//   sum_of_four(sums)          Σ over the 64-bit lanes of four registers, as 32-bit lanes
//   add_to(sum, counts)        adds the 64-bit lanes to as many 32-bit integers
//   kTokens                    tokens that meet four registers of weights at the same time
//
// xnor_rows.h is quick for few tokens, xnor_lanes.h for many. Both hand over four dots of a token
// at a time: output(token, row, dots, count), `count` of the rows from `row` on exist.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/xnor_lanes.h"
#include "kernels/xnor_rows.h"

namespace bankai::kernels {
namespace {

// Transposing the weights costs as much as the products of a few tokens.
constexpr std::size_t kXnorFewTokens = 7;

template <typename V, typename Output>
void multiply_bits(const XnorProblem& problem, Output output) {
  if (problem.rows == 0) return;
  if (problem.tokens <= kXnorFewTokens)
    multiply_bits_by_rows<V>(problem, output);
  else
    multiply_bits_in_lanes<V>(problem, output);
}

template <typename V>
void xnor_gemm(const std::uint64_t* weights, std::size_t rows, const std::uint64_t* activations,
               std::size_t tokens, std::size_t cols, std::int32_t* out, std::size_t out_stride) {
  multiply_bits<V>({weights, rows, activations, tokens, cols, (cols + 63) / 64},
                   [=](std::size_t token, std::size_t row, __m128i dots, std::size_t count) {
                     std::int32_t* to = out + token * out_stride + row;
                     if (count == kXnorRows)
                       _mm_storeu_si128(reinterpret_cast<__m128i*>(to), dots);
                     else
                       __builtin_memcpy(to, &dots, count * sizeof *to);
                   });
}

template <typename V>
void xnor_threshold(const std::uint64_t* weights, std::size_t rows,
                    const std::uint64_t* activations, std::size_t tokens, std::size_t cols,
                    const std::int32_t* thresholds, std::uint64_t* out) {
  const std::size_t out_words = (rows + 63) / 64;
  multiply_bits<V>(
      {weights, rows, activations, tokens, cols, (cols + 63) / 64},
      [=](std::size_t token, std::size_t row, __m128i dots, std::size_t count) {
        __m128i lowest = _mm_setzero_si128();
        __builtin_memcpy(&lowest, thresholds + row, count * sizeof *thresholds);
        const int below = _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(lowest, dots)));
        const std::uint64_t bits = ~static_cast<unsigned int>(below) & ((1U << count) - 1U);
        std::uint64_t* word = out + token * out_words + row / 64;
        *word = (row % 64 == 0 ? 0 : *word) | bits << row % 64;
      });
}

}  // namespace
}  // namespace bankai::kernels
