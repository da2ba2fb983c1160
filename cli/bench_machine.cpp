#include "cli/bench_machine.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "cli/bench_timing.h"
#include "core/bit_matrix.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/counter_rng.h"
#include "kernels/half.h"
#include "model/parallel.h"

namespace bankai::cli {
namespace {

constexpr std::size_t kLeastBufferBytes = std::size_t{512} << 20U;
constexpr std::size_t kBufferPerCache = 8;  // the buffer is this many times the last-level cache

std::size_t buffer_bytes() {
  const auto known = [](int name) { return static_cast<std::size_t>(std::max(sysconf(name), 0L)); };
  const std::size_t wanted =
      std::max(kLeastBufferBytes, kBufferPerCache * known(_SC_LEVEL3_CACHE_SIZE));
  const std::size_t memory = known(_SC_PHYS_PAGES) * known(_SC_PAGESIZE);
  return memory > 0 ? std::min(wanted, memory / 4) : wanted;
}

// Eight running sums: their additions do not wait for each other.
std::uint64_t sum_words(const std::uint64_t* words, std::size_t count) {
  std::uint64_t sums[8] = {};
  for (std::size_t i = 0; i + 8 <= count; i += 8)
    for (std::size_t j = 0; j < 8; ++j) sums[j] += words[i + j];
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums) total += sum;
  return total;
}

// Random weights and activations of one product.
struct Product {
  Product(const kernels::KernelTable& table, kernels::ActivationMode mode, std::size_t rows,
          std::size_t cols, std::size_t tokens)
      : blocks(rows * cols / kGroupCols * kBlockBytes), out(tokens * rows) {
    const CounterRng rng(1);
    const std::uint16_t scale = kernels::float_to_f16(1.0F / std::sqrt(static_cast<float>(cols)));
    for (std::size_t i = 0; i < blocks.size(); ++i)
      blocks[i] = static_cast<std::uint8_t>(i % kBlockBytes == 0   ? scale & 0xffU
                                            : i % kBlockBytes == 1 ? scale >> 8U
                                                                   : rng.bits(i) & 0xffU);
    weights = {kernels::TensorType::kQ1_0, blocks.data(), rows, cols,
               cols / kGroupCols * kBlockBytes};
    activations.resize(mode, tokens, cols);
    std::vector<float> x(cols);
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t i = 0; i < cols; ++i)
        x[i] = static_cast<float>(rng.uniform(blocks.size() + t * cols + i) - 0.5);
      activations.set_token(table, t, x.data());
    }
  }
  void run(const kernels::KernelTable& table) {
    kernels::matmul(table, weights, activations, 0, activations.tokens(), out.data(), weights.rows);
  }

  static constexpr std::size_t kBlockBytes =
      kernels::tensor_type_info(kernels::TensorType::kQ1_0).block_bytes;
  std::vector<std::uint8_t> blocks;
  kernels::WeightRows weights;
  kernels::ActivationBlock activations;
  std::vector<float> out;
};

// Multiply-adds per second of all threads together, each on a product of its own.
double measure_product(const kernels::KernelTable& table, kernels::ActivationMode mode, int threads,
                       std::size_t repetitions, std::size_t rows, std::size_t tokens) {
  constexpr std::size_t kCols = 1024;
  constexpr double kRunSeconds = 0.02;
  const auto count = static_cast<std::size_t>(threads);
  std::vector<std::unique_ptr<Product>> products(count);
  model::parallel_for(threads, count, [&](IndexRange range) {
    for (std::size_t i = range.begin; i < range.end; ++i)
      products[i] = std::make_unique<Product>(table, mode, rows, kCols, tokens);
  });
  const Stopwatch clock;
  products[0]->run(table);
  const double calls = std::max(1.0, std::floor(kRunSeconds / std::max(clock.seconds(), 1e-9)));
  const double seconds = median_seconds(repetitions, [&] {
    model::parallel_for(threads, count, [&](IndexRange range) {
      for (std::size_t i = range.begin; i < range.end; ++i)
        for (double call = 0.0; call < calls; call += 1.0) products[i]->run(table);
    });
  });
  return calls * static_cast<double>(count * rows * kCols * tokens) * int8_per_weight(mode) /
         seconds;
}

}  // namespace

double measure_read_bandwidth(int threads, std::size_t repetitions) {
  const std::size_t count = buffer_bytes() / sizeof(std::uint64_t) / 8 * 8;
  const std::unique_ptr<std::uint64_t[]> words(new std::uint64_t[count]);
  const auto parts = static_cast<std::size_t>(threads);
  std::vector<std::uint64_t> sums(parts);
  const auto each_part = [&](const std::function<void(std::size_t, IndexRange)>& work) {
    model::parallel_for(threads, parts, [&](IndexRange range) {
      for (std::size_t i = range.begin; i < range.end; ++i) {
        const IndexRange lines = part_of(count / 8, parts, i);
        work(i, {lines.begin * 8, lines.end * 8});
      }
    });
  };
  // Each thread fills what it will read, so that the memory is near it.
  each_part([&](std::size_t, IndexRange range) {
    std::fill_n(words.get() + range.begin, range.size(), std::uint64_t{3});
  });
  const double seconds = median_seconds(repetitions, [&] {
    each_part([&](std::size_t i, IndexRange range) {
      sums[i] = sum_words(words.get() + range.begin, range.size());
    });
  });
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums) total += sum;
  BANKAI_CHECK(total == 3 * count, "the sum of a buffer is not that of its words");
  return static_cast<double>(count * sizeof(std::uint64_t)) / seconds;
}

double measure_int8_rate(const kernels::KernelTable& table, kernels::ActivationMode mode,
                         int threads, std::size_t repetitions) {
  // Activations are prepared once for all rows, so many rows are best; 3,072 of them take 442 kB.
  double best = 0.0;
  for (const std::size_t rows : {std::size_t{1024}, std::size_t{3072}})
    for (const std::size_t tokens : {std::size_t{16}, std::size_t{64}})
      best = std::max(best, measure_product(table, mode, threads, repetitions, rows, tokens));
  return best;
}

}  // namespace bankai::cli
