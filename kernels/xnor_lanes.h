// Products of bits for many tokens: a block of 32 rows is transposed, so that a register has one
// word of as many rows as it has lanes, and a word of a token meets them all. Lanes are never added
// up across a register, and rows may be short. See xnor_body.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/xnor_rows.h"

namespace bankai::kernels {
namespace {

template <typename V>
class XnorLanes {
 public:
  static constexpr std::size_t kRows = 32;
  static constexpr std::size_t kTokens = 64;  // that stay in the caches while all rows go by
  // Words that are transposed together; lanes of bytes could count 31 of them.
  static constexpr std::size_t kWords = V::kWideCounts ? 32 : 16;

  void clear() { __builtin_memset(counts_, 0, sizeof counts_); }

  // The words [first, first + count) of 32 rows from `row` on.
  void load_weights(const XnorProblem& problem, std::size_t row, std::size_t first,
                    std::size_t count) {
    num_words_ = count;
    for (std::size_t group = 0; group < kGroups; ++group) {
      const std::uint64_t* rows[V::kWords];
      for (std::size_t i = 0; i < V::kWords; ++i)
        rows[i] = problem.weight_row(row + group * V::kWords + i) + first;
      for (std::size_t word = 0; word < count; word += V::kWords) {
        Vector columns[V::kWords];
        V::transposed_load(rows, word, V::first_words(count - word), columns);
        for (std::size_t i = 0; i < V::kWords; ++i) weights_[word + i][group] = columns[i];
      }
    }
  }

  // tokens: the same words of the first of them.
  void add_tokens(const std::uint64_t* tokens, std::size_t stride, std::size_t num_tokens) {
    for (std::size_t group = 0; group < kGroups; group += kGroupsAtOnce) {
      std::size_t token = 0;
      for (; token + V::kTokens <= num_tokens; token += V::kTokens)
        multiply<V::kTokens>(group, tokens + token * stride, stride, token);
      for (; token < num_tokens; ++token)
        multiply<1>(group, tokens + token * stride, stride, token);
    }
  }

  __m128i differences(std::size_t token, std::size_t row) const {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(counts_[token] + row));
  }

 private:
  using Vector = typename V::Vector;
  static constexpr std::size_t kGroups = kRows / V::kWords;
  static constexpr std::size_t kGroupsAtOnce = 4;

  template <std::size_t kTokensAtOnce>
  void multiply(std::size_t group, const std::uint64_t* tokens, std::size_t stride,
                std::size_t token) {
    Vector sums[kTokensAtOnce][kGroupsAtOnce];
    for (std::size_t t = 0; t < kTokensAtOnce; ++t)
      for (std::size_t g = 0; g < kGroupsAtOnce; ++g) sums[t][g] = V::zero();
    for (std::size_t word = 0; word < num_words_; ++word)
      for (std::size_t t = 0; t < kTokensAtOnce; ++t) {
        const Vector bits = V::broadcast(tokens[t * stride + word]);
        for (std::size_t g = 0; g < kGroupsAtOnce; ++g)
          sums[t][g] = V::add_count(sums[t][g], V::exclusive_or(bits, weights_[word][group + g]));
      }
    for (std::size_t t = 0; t < kTokensAtOnce; ++t)
      for (std::size_t g = 0; g < kGroupsAtOnce; ++g)
        V::add_to(V::widened(sums[t][g]), counts_[token + t] + (group + g) * V::kWords);
  }

  std::size_t num_words_;
  Vector weights_[kWords][kGroups];
  alignas(64) std::int32_t counts_[kTokens][kRows];
};

template <typename V, typename Output>
void multiply_bits_in_lanes(const XnorProblem& problem, Output output) {
  using Lanes = XnorLanes<V>;
  const auto smaller = [](std::size_t a, std::size_t b) { return a < b ? a : b; };
  Lanes lanes;
  for (std::size_t tile = 0; tile < problem.tokens; tile += Lanes::kTokens) {
    const std::size_t tokens = smaller(problem.tokens - tile, Lanes::kTokens);
    for (std::size_t block = 0; block < problem.rows; block += Lanes::kRows) {
      lanes.clear();
      for (std::size_t word = 0; word < problem.words; word += Lanes::kWords) {
        lanes.load_weights(problem, block, word, smaller(problem.words - word, Lanes::kWords));
        lanes.add_tokens(problem.activations + tile * problem.words + word, problem.words, tokens);
      }
      const std::size_t rows = smaller(problem.rows - block, Lanes::kRows);
      for (std::size_t t = 0; t < tokens; ++t)
        for (std::size_t row = 0; row < rows; row += kXnorRows)
          output(tile + t, block + row, xnor_dots(problem.cols, lanes.differences(t, row)),
                 smaller(rows - row, kXnorRows));
    }
  }
}

}  // namespace
}  // namespace bankai::kernels
