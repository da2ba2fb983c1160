// Speed of the packed products, one thread: every table of this machine, formats, shapes, numbers
// of tokens, both activation modes. The first and the last token of each answer are compared with
// the scalar table's before it is timed. Prints multiply-adds and weight bytes per second (best and
// median of 9 runs) beside the bandwidth of reading memory in the same run.
//   ninja kernels_bench && tests/kernels_bench [table]
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/counter_rng.h"
#include "kernels/dispatch.h"

namespace bankai::kernels {
namespace {

struct Format {
  const char* name;
  std::size_t block_cols;
  std::size_t block_bytes;
  decltype(KernelTable::gemm_q1_0) KernelTable::*gemm;
};

constexpr Format kFormats[] = {{"Q1_0", 128, 18, &KernelTable::gemm_q1_0},
                               {"Q8_0", 32, 34, &KernelTable::gemm_q8_0}};

struct Problem {
  std::size_t rows;
  std::size_t cols;
  std::size_t tokens;
  bool a16;
  std::vector<std::uint8_t> blocks;
  std::vector<std::int8_t> high;
  std::vector<std::int8_t> low;
  std::vector<float> scales;

  // out: (count, rows) for tokens [first, first + count).
  void multiply(const KernelTable& table, const Format& format, std::size_t first,
                std::size_t count, float* out) const {
    const Activations activations{.high = high.data() + first * cols,
                                  .low = a16 ? low.data() + first * cols : nullptr,
                                  .scales = scales.data() + first * cols / 128,
                                  .tokens = count,
                                  .cols = cols};
    (table.*format.gemm)(blocks.data(), rows, activations, out, rows);
  }
};

Problem make_problem(const Format& format, std::size_t rows, std::size_t cols, std::size_t tokens,
                     bool a16) {
  const CounterRng rng(tokens);
  Problem p{rows, cols, tokens, a16, {}, {}, {}, {}};
  p.blocks.resize(rows * cols / format.block_cols * format.block_bytes);
  for (std::size_t i = 0; i < p.blocks.size(); ++i)
    p.blocks[i] = static_cast<std::uint8_t>(rng.bits(i));
  for (std::size_t i = 0; i < p.blocks.size(); i += format.block_bytes)
    p.blocks[i + 1] = 0x2C;  // a scale near 1/16
  p.high.resize(tokens * cols);
  p.low.resize(tokens * cols);
  for (std::size_t i = 0; i < p.high.size(); ++i) {
    p.high[i] = static_cast<std::int8_t>(static_cast<int>(rng.below(2 * i, 255)) - 127);
    p.low[i] = static_cast<std::int8_t>(static_cast<int>(rng.below(2 * i + 1, 255)) - 127);
  }
  p.scales.assign(tokens * cols / 128, 0.01F);
  return p;
}

// Seconds of one call: the best and the median of 9 runs of about 20 ms.
template <typename Call>
std::pair<double, double> measure(Call call) {
  const Stopwatch first;
  call();
  const int repeats = static_cast<int>(0.02 / std::max(first.seconds(), 1e-9)) + 1;
  std::vector<double> times;
  for (int run = 0; run < 9; ++run) {
    const Stopwatch watch;
    for (int i = 0; i < repeats; ++i) call();
    times.push_back(watch.seconds() / repeats);
  }
  std::sort(times.begin(), times.end());
  return {times[0], times[4]};
}

bool run(const KernelTable& table, const Format& format, const Problem& p) {
  std::vector<float> out(p.tokens * p.rows);
  p.multiply(table, format, 0, p.tokens, out.data());
  std::vector<float> expected(p.rows);
  for (const std::size_t token : {std::size_t{0}, p.tokens - 1}) {
    p.multiply(*all_kernels().front(), format, token, 1, expected.data());
    if (std::memcmp(out.data() + token * p.rows, expected.data(), p.rows * sizeof(float)) != 0) {
      std::printf("%s: wrong result\n", table.name);
      return false;
    }
  }
  const double macs = static_cast<double>(p.rows * p.cols * p.tokens);
  const auto [best, median] = measure([&] { p.multiply(table, format, 0, p.tokens, out.data()); });
  std::printf("%-7s %s %6zu x %4zu, %3zu tokens, %-3s %7.1f (median %6.1f) GMAC/s %6.2f GB/s\n",
              table.name, format.name, p.rows, p.cols, p.tokens, p.a16 ? "a16" : "a8",
              macs / best * 1e-9, macs / median * 1e-9,
              static_cast<double>(p.blocks.size()) / best * 1e-9);
  return true;
}

int main_checked(const std::string& wanted) {
  const KernelTable& widest = **select_kernel("");
  const std::vector<float> memory(std::size_t{64} << 20U, 1.0F);
  float sum = 0.0F;
  const auto [best, median] =
      measure([&] { sum += widest.dot_f32(memory.data(), memory.data(), memory.size()); });
  const double bytes = static_cast<double>(memory.size() * sizeof(float));
  std::printf("reading memory: %.1f GB/s (median %.1f)%s\n", bytes / best * 1e-9,
              bytes / median * 1e-9, sum > 0.0F ? "" : "?");
  struct Shape {
    std::size_t rows;
    std::size_t cols;
  };
  for (const KernelTable* table : all_kernels()) {
    if (!is_supported(*table) || (!wanted.empty() && wanted != table->name)) continue;
    const bool is_slow = table->required_features == 0;
    for (const Format& format : kFormats) {
      for (const Shape shape :
           {Shape{256, 768}, Shape{2048, 2048}, Shape{2048, 6144}, Shape{65536, 2048}}) {
        for (const std::size_t tokens : {1U, 8U, 64U, 512U}) {
          if (tokens > 1 && (shape.rows > 2048 || is_slow)) continue;  // memory-bound, or hours
          for (const bool a16 : {false, true})
            if (!run(*table, format, make_problem(format, shape.rows, shape.cols, tokens, a16)))
              return 1;
        }
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace bankai::kernels

int main(int argc, char** argv) { return bankai::kernels::main_checked(argc > 1 ? argv[1] : ""); }
