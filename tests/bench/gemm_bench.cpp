// The products of packed weights: every table, format and activation mode, shapes that stay in the
// caches and one that does not, one token and many.
#include <algorithm>
#include <memory>

#include "tests/bench/bench_problem.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kCheckedRows =
    64;  // of the first and the last token; more would take minutes

struct Product {
  RandomPanels weights;
  std::size_t tokens;
  std::vector<std::int8_t> high, low;  // low is empty for a8
  std::vector<float> scales;

  Product(PanelFormat format, std::size_t rows, std::size_t cols, std::size_t num_tokens, bool a16)
      : weights(format, rows, cols),
        tokens(num_tokens),
        high(random_digits(tokens * cols, 2)),
        low(a16 ? random_digits(tokens * cols, 3) : std::vector<std::int8_t>()),
        scales(tokens * cols / 128, 0.01F) {}

  // (count, rows) for tokens [first, first + count).
  void multiply(const KernelTable& table, std::size_t rows, std::size_t first, std::size_t count,
                float* out) const {
    const std::size_t offset = first * weights.cols;
    table.gemm[static_cast<std::size_t>(weights.format)](
        weights.panels(rows),
        {high.data() + offset, low.empty() ? nullptr : low.data() + offset,
         scales.data() + offset / 128, count, weights.cols},
        out, rows);
  }

  bool is_right(const std::vector<float>& out) const {
    const std::size_t rows = std::min(weights.rows, kCheckedRows);
    std::vector<float> expected(rows);
    for (const std::size_t token : {std::size_t{0}, tokens - 1}) {
      multiply(scalar_table(), rows, token, 1, expected.data());
      if (std::memcmp(expected.data(), out.data() + token * weights.rows, rows * sizeof(float)) !=
          0)
        return false;
    }
    return true;
  }
};

void run(benchmark::State& state, const KernelTable& table, PanelFormat format, std::size_t rows,
         std::size_t cols, std::size_t tokens, bool a16) {
  const Product product(format, rows, cols, tokens, a16);
  std::vector<float> out(tokens * rows);
  product.multiply(table, rows, 0, tokens, out.data());
  if (!product.is_right(out)) return state.SkipWithError("differs from the scalar table");
  for (auto _ : state) {
    product.multiply(table, rows, 0, tokens, out.data());
    benchmark::ClobberMemory();
  }
  state.counters["mac/s"] = per_second(static_cast<double>(rows * cols * tokens));
  state.counters["weight bytes/s"] =
      per_second(static_cast<double>(product.weights.lines.size() * kLineBytes));
}

struct Shape {
  std::size_t rows, cols;
  bool in_cache;
};
constexpr Shape kShapes[] = {
    {256, 768, true}, {2048, 2048, true}, {2048, 6144, true}, {262144, 2048, false}};

[[maybe_unused]] const bool kRegistered = [] {
  for_each_table([](const KernelTable& table) {
    const bool is_slow = &table == &scalar_table();
    for (const PanelFormatInfo& info : kPanelFormats)
      for (const Shape& shape : kShapes)
        for (const std::size_t tokens : {1U, 8U, 64U, 512U})
          for (const bool a16 : {false, true}) {
            // Many tokens are bound by arithmetic wherever the weights lie.
            if ((tokens > 1 || is_slow) && !shape.in_cache) continue;
            if (tokens > 1 && is_slow) continue;
            const std::string name = std::string("gemm/") + table.name + "/" + info.name + "/" +
                                     std::to_string(shape.rows) + "x" + std::to_string(shape.cols) +
                                     "/" + std::to_string(tokens) + (a16 ? "/a16" : "/a8");
            benchmark::RegisterBenchmark(name.c_str(), [=, &table](benchmark::State& state) {
              run(state, table, info.format, shape.rows, shape.cols, tokens, a16);
            });
          }
  });
  return true;
}();

}  // namespace
}  // namespace bankai::kernels
