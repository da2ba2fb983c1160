#include "tests/bench/bench_problem.h"

namespace bankai::kernels {

RandomPanels::RandomPanels(PanelFormat panel_format, std::size_t num_rows, std::size_t num_cols)
    : format(panel_format), rows(num_rows), cols(num_cols) {
  const CounterRng rng(1);
  lines.resize(panels_bytes({format, nullptr, rows, cols}) / kLineBytes);
  const std::size_t run_lines = panel_format_info(format).run_lines;
  for (std::size_t line = 0; line < lines.size(); ++line) {
    for (std::size_t i = 0; i < kLineBytes; i += 8) {
      const std::uint64_t bits = rng.bits(line * kLineBytes + i);
      std::memcpy(lines[line].bytes + i, &bits, sizeof bits);
    }
    for (std::size_t i = 1; line % run_lines == 0 && i < kLineBytes; i += 2)
      lines[line].bytes[i] = 0x2C;
  }
}

Panels RandomPanels::panels(std::size_t num_rows) const {
  return {format, lines[0].bytes, num_rows, cols};
}

std::vector<std::int8_t> random_digits(std::size_t count, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<std::int8_t> digits(count);
  for (std::size_t i = 0; i < count; ++i)
    digits[i] = static_cast<std::int8_t>(static_cast<int>(rng.below(i, 255)) - 127);
  return digits;
}

std::vector<float> random_floats(std::size_t count, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(rng.uniform(i) - 0.5);
  return values;
}

}  // namespace bankai::kernels
