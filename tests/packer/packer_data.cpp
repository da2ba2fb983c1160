#include "tests/packer/packer_data.h"

#include <cmath>
#include <cstring>
#include <string_view>

#include "core/counter_rng.h"
#include "kernels/half.h"

namespace bankai::packer {
namespace {

// A standard normal number.
double normal(const CounterRng& rng, std::uint64_t index) {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - rng.uniform(2 * index)));
  return radius * std::cos(6.283185307179586 * rng.uniform(2 * index + 1));
}

TestContent make(std::string name, ContentKind kind, std::size_t rows, std::size_t cols,
                 std::uint32_t element_bytes = 1) {
  TestContent made{std::move(name), make_content(kind, rows, cols, element_bytes).value(), {}};
  made.logical.resize(static_cast<std::size_t>(made.content.logical_bytes()));
  return made;
}

// Entries of a matrix of rank 4 with noise.
double correlated_entry(std::size_t row, std::size_t col, std::uint64_t seed) {
  double sum = normal(CounterRng(seed, row + 2), col);
  for (std::uint64_t k = 0; k < 4; ++k)
    sum += normal(CounterRng(seed, 0), 4 * row + k) * normal(CounterRng(seed, 1), 4 * col + k);
  return sum;
}

std::byte trit(int value) { return static_cast<std::byte>(static_cast<signed char>(value)); }

template <typename T>
void store(TestContent& to, std::size_t index, T value) {
  std::memcpy(to.logical.data() + index * sizeof value, &value, sizeof value);
}

}  // namespace

TestContent independent_trits(std::size_t rows, std::size_t cols, double zeros,
                              std::uint64_t seed) {
  TestContent made = make("independent trits " + std::to_string(static_cast<int>(zeros * 10)),
                          ContentKind::kTrits, rows, cols);
  const CounterRng rng(seed);
  for (std::size_t i = 0; i < made.logical.size(); ++i) {
    const double u = rng.uniform(i);
    made.logical[i] = trit(u < zeros ? 0 : u < zeros + (1.0 - zeros) / 2 ? 1 : -1);
  }
  return made;
}

TestContent structured_trits(std::size_t rows, std::size_t cols, double spread,
                             std::uint64_t seed) {
  TestContent made = make("structured trits", ContentKind::kTrits, rows, cols);
  const CounterRng weights(seed, 0);
  const CounterRng factors(seed, 1);
  std::vector<double> w(rows * cols);
  double sum = 0.0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    w[i] = normal(weights, i) *
           std::exp(spread * (normal(factors, i / cols) + normal(factors, rows + i % cols)));
    sum += std::abs(w[i]);
  }
  const double half = sum / static_cast<double>(w.size()) / 2;
  for (std::size_t i = 0; i < w.size(); ++i)
    made.logical[i] = trit(w[i] > half ? 1 : w[i] < -half ? -1 : 0);
  return made;
}

TestContent random_bits(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  TestContent made = make("random bits", ContentKind::kBits, rows, cols);
  const CounterRng rng(seed);
  for (std::size_t i = 0; i < rows * cols; ++i)
    made.logical[i / 8] |= static_cast<std::byte>((rng.bits(i) & 1U) << (i % 8));
  return made;
}

TestContent sloped_bits(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  TestContent made = make("sloped bits", ContentKind::kBits, rows, cols);
  const CounterRng rng(seed, 0);
  const CounterRng factors(seed, 1);
  for (std::size_t i = 0; i < rows * cols; ++i) {
    const double slope = normal(factors, i / cols);
    const double logit = 2.0 * slope * normal(factors, rows + i % cols);
    const bool is_one = rng.uniform(i) < 1.0 / (1.0 + std::exp(-logit));
    made.logical[i / 8] |= static_cast<std::byte>((is_one ? 1U : 0U) << (i % 8));
  }
  return made;
}

TestContent correlated_bits(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  TestContent made = make("correlated bits", ContentKind::kBits, rows, cols);
  for (std::size_t i = 0; i < rows * cols; ++i)
    if (correlated_entry(i / cols, i % cols, seed) > 0.0)
      made.logical[i / 8] |= static_cast<std::byte>(1U << (i % 8));
  return made;
}

TestContent correlated_trits(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  TestContent made = make("correlated trits", ContentKind::kTrits, rows, cols);
  for (std::size_t i = 0; i < made.logical.size(); ++i) {
    const double entry = correlated_entry(i / cols, i % cols, seed);
    made.logical[i] = trit(entry > 0.8 ? 1 : entry < -0.8 ? -1 : 0);
  }
  return made;
}

TestContent plausible_scales(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  TestContent made = make("plausible scales", ContentKind::kScales, rows, cols, 2);
  const CounterRng rng(seed);
  for (std::size_t i = 0; i < rows * cols; ++i) {
    const double log_scale = 0.3 * normal(rng, i / cols) + 0.1 * normal(rng, rows + i);
    store(made, i, kernels::float_to_f16(static_cast<float>(0.03 * std::exp(log_scale))));
  }
  return made;
}

TestContent plausible_floats(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  TestContent made = make("plausible floats", ContentKind::kNumbers, rows, cols, 4);
  const CounterRng rng(seed);
  for (std::size_t i = 0; i < rows * cols; ++i) store(made, i, static_cast<float>(normal(rng, i)));
  return made;
}

TestContent random_bytes(ContentKind kind, std::size_t rows, std::size_t cols,
                         std::uint32_t element_bytes, std::uint64_t seed) {
  TestContent made =
      make(std::string(kind == ContentKind::kScales ? "random scales of " : "random bytes of ") +
               std::to_string(element_bytes),
           kind, rows, cols, element_bytes);
  const CounterRng rng(seed);
  for (std::size_t i = 0; i < made.logical.size(); ++i)
    made.logical[i] = static_cast<std::byte>(rng.bits(i) & 0xffU);
  return made;
}

TestContent text(std::size_t bytes) {
  constexpr std::string_view kWords = "one list, walked by everything; bytes are the currency. ";
  TestContent made = make("text", ContentKind::kBlob, 1, bytes);
  for (std::size_t i = 0; i < bytes; ++i)
    made.logical[i] = static_cast<std::byte>(kWords[i % kWords.size()]);
  return made;
}

std::vector<TestContent> contents_of_shape(std::size_t rows, std::size_t cols) {
  std::vector<TestContent> all = {
      independent_trits(rows, cols, 0.4, 1),
      independent_trits(rows, cols, 1.0, 2),
      independent_trits(rows, cols, 0.0, 3),
      structured_trits(rows, cols, 0.6, 4),
      random_bits(rows, cols, 5),
      sloped_bits(rows, cols, 6),
      plausible_scales(rows, cols, 7),
      random_bytes(ContentKind::kScales, rows, cols, 2, 8),
      plausible_floats(rows, cols, 9),
      random_bytes(ContentKind::kNumbers, rows, cols, 1, 10),
      random_bytes(ContentKind::kNumbers, rows, cols, 2, 11),
      random_bytes(ContentKind::kNumbers, rows, cols, 8, 12),
      make("zeros", ContentKind::kNumbers, rows, cols, 4),
      make("zero bits", ContentKind::kBits, rows, cols),
      text(rows * cols),
  };
  return all;
}

}  // namespace bankai::packer
