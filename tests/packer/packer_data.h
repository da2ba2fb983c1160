// Contents of every kind for the tests: with and without structure, of odd shapes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "packer/content.h"

namespace bankai::packer {

struct TestContent {
  std::string name;
  Content content;
  std::vector<std::byte> logical;
};

// A trit is 0 with probability `zeros`, else either sign is as likely.
TestContent independent_trits(std::size_t rows, std::size_t cols, double zeros, std::uint64_t seed);
// Normal numbers times a factor per row and per column (each e^(spread · normal)), rounded as in
// absmean ternarisation.
TestContent structured_trits(std::size_t rows, std::size_t cols, double spread, std::uint64_t seed);
TestContent random_bits(std::size_t rows, std::size_t cols, std::uint64_t seed);
// Bits that follow a bias per column, more or less strongly (even against it) in different rows.
TestContent sloped_bits(std::size_t rows, std::size_t cols, std::uint64_t seed);
// Signs of a matrix of rank 4 with noise: rows that are alike, columns that are alike, and no row
// or column with more of one sign. As trits, the smallest third or so is 0.
TestContent correlated_bits(std::size_t rows, std::size_t cols, std::uint64_t seed);
TestContent correlated_trits(std::size_t rows, std::size_t cols, std::uint64_t seed);
// Halves near a common size, which vary by row more than within it.
TestContent plausible_scales(std::size_t rows, std::size_t cols, std::uint64_t seed);
// Normal float32 numbers.
TestContent plausible_floats(std::size_t rows, std::size_t cols, std::uint64_t seed);
TestContent random_bytes(ContentKind kind, std::size_t rows, std::size_t cols,
                         std::uint32_t element_bytes, std::uint64_t seed);
TestContent text(std::size_t bytes);

// One of each of the above in this shape, and constant ones.
std::vector<TestContent> contents_of_shape(std::size_t rows, std::size_t cols);

}  // namespace bankai::packer
