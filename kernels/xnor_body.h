// Products of ±1 with ±1 (KernelTable::xnor_gemm, xnor_threshold) for x86, written once for a type
// V of one register of kWords 64-bit words:
//   Vector, Mask               the register; which words of it exist
//   zero(), load(p)            a register of zeros; all words from memory
//   broadcast(w)               a word in all lanes
//   first_words(n)             the first n words, all if n >= kWords
//   exclusive_or, bit_and, add of bits, bits and 64-bit lanes
//   add_count(sum, x)          sum + the number of bits of x, in lanes that hold 31 words' counts
//   kWideCounts                … or any number of them
//   widened(sum)               such sums in 64-bit lanes
//   narrowed(sums)             8 / kWords such registers as eight 32-bit integers
//   kTokens                    tokens that meet two panels of weights at the same time
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/bit_panels.h"

namespace bankai::kernels {
namespace {

struct XnorProblem {
  const std::uint64_t* panels;  // (rows, cols) bits
  std::size_t rows;
  const std::uint64_t* activations;  // (tokens, words)
  std::size_t tokens;
  std::size_t cols;
  std::size_t words;
};

// kPanels panels from `panel` on meet kTokens tokens from `token` on; output(token, row, dots,
// count) gets eight dots at a time, of which `count` are of rows that exist.
template <typename V, std::size_t kPanels, std::size_t kTokens, typename Output>
void multiply_tile(const XnorProblem& p, std::size_t panel, std::size_t token, Output output) {
  using Vector = typename V::Vector;
  constexpr std::size_t kParts = kBitPanelRows / V::kWords;
  constexpr std::size_t kChunk = V::kWideCounts ? SIZE_MAX : 31;
  const std::uint64_t* weights = p.panels + panel * kBitPanelRows * p.words;
  const std::uint64_t* bits = p.activations + token * p.words;
  Vector sums[kTokens][kPanels][kParts];
  for (auto& of_token : sums)
    for (auto& of_panel : of_token)
      for (Vector& sum : of_panel) sum = V::zero();
  for (std::size_t word = 0; word < p.words;) {
    const std::size_t end = p.words - word < kChunk ? p.words : word + kChunk;
    Vector counts[kTokens][kPanels][kParts];
    for (auto& of_token : counts)
      for (auto& of_panel : of_token)
        for (Vector& count : of_panel) count = V::zero();
    for (; word < end; ++word)
      for (std::size_t t = 0; t < kTokens; ++t) {
        const Vector token_bits = V::broadcast(bits[t * p.words + word]);
        for (std::size_t i = 0; i < kPanels; ++i)
          for (std::size_t part = 0; part < kParts; ++part) {
            const Vector row_bits =
                V::load(weights + (i * p.words + word) * kBitPanelRows + part * V::kWords);
            counts[t][i][part] =
                V::add_count(counts[t][i][part], V::exclusive_or(token_bits, row_bits));
          }
      }
    for (std::size_t t = 0; t < kTokens; ++t)
      for (std::size_t i = 0; i < kPanels; ++i)
        for (std::size_t part = 0; part < kParts; ++part)
          sums[t][i][part] = V::add(sums[t][i][part], V::widened(counts[t][i][part]));
  }
  const __m256i cols = _mm256_set1_epi32(static_cast<int>(p.cols));
  for (std::size_t t = 0; t < kTokens; ++t)
    for (std::size_t i = 0; i < kPanels; ++i) {
      const std::size_t row = (panel + i) * kBitPanelRows;
      const std::size_t count = p.rows - row < kBitPanelRows ? p.rows - row : kBitPanelRows;
      const __m256i differences = V::narrowed(sums[t][i]);
      output(token + t, row, _mm256_sub_epi32(cols, _mm256_slli_epi32(differences, 1)), count);
    }
}

template <typename V, std::size_t kPanels, typename Output>
void multiply_panels(const XnorProblem& p, std::size_t panel, Output output) {
  std::size_t token = 0;
  for (; token + V::kTokens <= p.tokens; token += V::kTokens)
    multiply_tile<V, kPanels, V::kTokens>(p, panel, token, output);
  for (; token < p.tokens; ++token) multiply_tile<V, kPanels, 1>(p, panel, token, output);
}

template <typename V, typename Output>
void multiply_bits(const XnorProblem& p, Output output) {
  constexpr std::size_t kPanels = 2;
  const std::size_t num_panels = (p.rows + kBitPanelRows - 1) / kBitPanelRows;
  std::size_t panel = 0;
  for (; panel + kPanels <= num_panels; panel += kPanels)
    multiply_panels<V, kPanels>(p, panel, output);
  if (panel < num_panels) multiply_panels<V, 1>(p, panel, output);
}

template <typename V>
void xnor_gemm(const std::uint64_t* panels, std::size_t rows, const std::uint64_t* activations,
               std::size_t tokens, std::size_t cols, std::int32_t* out, std::size_t out_stride) {
  multiply_bits<V>({panels, rows, activations, tokens, cols, (cols + 63) / 64},
                   [=](std::size_t token, std::size_t row, __m256i dots, std::size_t count) {
                     std::int32_t* to = out + token * out_stride + row;
                     if (count == kBitPanelRows)
                       _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), dots);
                     else
                       __builtin_memcpy(to, &dots, count * sizeof *to);
                   });
}

template <typename V>
void xnor_threshold(const std::uint64_t* panels, std::size_t rows, const std::uint64_t* activations,
                    std::size_t tokens, std::size_t cols, const std::int32_t* thresholds,
                    std::uint64_t* out) {
  const std::size_t out_words = (rows + 63) / 64;
  for (std::size_t token = 1; rows != 0 && token <= tokens; ++token) out[token * out_words - 1] = 0;
  multiply_bits<V>(
      {panels, rows, activations, tokens, cols, (cols + 63) / 64},
      [=](std::size_t token, std::size_t row, __m256i dots, std::size_t count) {
        __m256i lowest = _mm256_set1_epi32(INT32_MAX);
        if (count == kBitPanelRows)
          lowest = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(thresholds + row));
        else
          __builtin_memcpy(&lowest, thresholds + row, count * sizeof *thresholds);
        const int below = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(lowest, dots)));
        // A panel's bits fill a byte; words are little-endian.
        auto* bytes = reinterpret_cast<unsigned char*>(out + token * out_words);
        bytes[row / kBitPanelRows] = static_cast<unsigned char>(~below & ((1 << count) - 1));
      });
}

}  // namespace
}  // namespace bankai::kernels
