// Products of bits for few tokens: four rows meet a token with all their columns in registers, so
// that weights are read once and as they lie in memory. See xnor_body.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace bankai::kernels {
namespace {

constexpr std::size_t kXnorRows = 4;  // their dots fill a 128-bit register

struct XnorProblem {
  const std::uint64_t* weights;  // (rows, words)
  std::size_t rows;
  const std::uint64_t* activations;  // (tokens, words)
  std::size_t tokens;
  std::size_t cols;
  std::size_t words;

  // Beyond the last row: the last row.
  const std::uint64_t* weight_row(std::size_t row) const {
    return weights + (row < rows ? row : rows - 1) * words;
  }
};

inline __m128i xnor_dots(std::size_t cols, __m128i differences) {
  return _mm_sub_epi32(_mm_set1_epi32(static_cast<int>(cols)), _mm_slli_epi32(differences, 1));
}

// Adds the bits in which four rows and the token differ in one register of words.
template <typename V, typename Load>
void add_differences(const std::uint64_t* const* rows, const std::uint64_t* token, Load load,
                     typename V::Vector* counts) {
  const typename V::Vector bits = load(token);
  for (std::size_t r = 0; r < kXnorRows; ++r)
    counts[r] = V::add_count(counts[r], V::exclusive_or(bits, load(rows[r])));
}

// sums[r]: the number of bits in which row r and the token differ, in 64-bit lanes.
template <typename V>
void count_differences(const std::uint64_t* const* rows, const std::uint64_t* token,
                       std::size_t words, typename V::Vector* sums) {
  using Vector = typename V::Vector;
  constexpr std::size_t kChunk = V::kWideCounts ? SIZE_MAX : 31 * V::kWords;
  for (std::size_t r = 0; r < kXnorRows; ++r) sums[r] = V::zero();
  std::size_t word = 0;
  while (word < words) {
    const std::size_t end = words - word < kChunk ? words : word + kChunk;
    Vector counts[kXnorRows];
    for (Vector& sum : counts) sum = V::zero();
    for (; word + V::kWords <= end; word += V::kWords)
      add_differences<V>(
          rows, token, [=](const std::uint64_t* from) { return V::load(from + word); }, counts);
    if (word < end) {
      const typename V::Mask rest = V::first_words(end - word);
      add_differences<V>(
          rows, token, [=](const std::uint64_t* from) { return V::load(from + word, rest); },
          counts);
      word = end;
    }
    for (std::size_t r = 0; r < kXnorRows; ++r) sums[r] = V::add(sums[r], V::widened(counts[r]));
  }
}

template <typename V, typename Output>
void multiply_bits_by_rows(const XnorProblem& problem, Output output) {
  for (std::size_t row = 0; row < problem.rows; row += kXnorRows) {
    const std::uint64_t* rows[kXnorRows];
    for (std::size_t r = 0; r < kXnorRows; ++r) rows[r] = problem.weight_row(row + r);
    const std::size_t left = problem.rows - row;
    for (std::size_t token = 0; token < problem.tokens; ++token) {
      typename V::Vector sums[kXnorRows];
      count_differences<V>(rows, problem.activations + token * problem.words, problem.words, sums);
      output(token, row, xnor_dots(problem.cols, V::sum_of_four(sums)),
             left < kXnorRows ? left : kXnorRows);
    }
  }
}

}  // namespace
}  // namespace bankai::kernels
