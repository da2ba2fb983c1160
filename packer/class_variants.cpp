#include "packer/class_variants.h"

#include "packer/digit_blocks.h"
#include "packer/frequency_table.h"

namespace bankai::packer {
namespace {

// Bits, times 2^16, of a list of symbols, coded in so many pieces.
std::uint64_t list_cost(std::span<const std::uint64_t> counts, std::uint64_t pieces) {
  const FrequencyTable table = FrequencyTable::best_for_counts(counts);
  return table.cost(counts) + ((pieces * (table.size_bits() + 64)) << 16U);
}

std::uint64_t classes_cost(std::span<const std::int8_t> finest, unsigned step_code,
                           std::uint64_t pieces) {
  PerClass<std::uint64_t> counts{};
  for (const std::int8_t value : finest)
    ++counts[static_cast<std::size_t>(coarser(value, step_code) + (kFinest >> step_code))];
  return list_cost(
      std::span(counts).first(static_cast<std::size_t>(2 * (kFinest >> step_code) + 1)), pieces);
}

std::uint64_t side_cost(const ClassVariant& variant, std::uint64_t blocks) {
  std::uint64_t cost = 0;
  if (variant.rows) cost += classes_cost(variant.classes->rows, variant.step_code, blocks);
  if (variant.cols) cost += classes_cost(variant.classes->cols, variant.step_code, 1);
  if (!variant.slopes) return cost;
  std::array<std::uint64_t, kSlopes.size()> counts{};
  for (const std::uint8_t code : variant.classes->slopes) ++counts[code];
  return cost + list_cost(counts, blocks);
}

std::vector<ClassVariant> variants_of(const FinestClasses& plain, const FinestClasses& sloped) {
  std::vector<ClassVariant> variants = {{&plain, false, false, false, 0}};
  for (unsigned step_code = 0; step_code < 3; ++step_code) {
    variants.push_back({&plain, true, false, false, step_code});
    variants.push_back({&plain, false, true, false, step_code});
    variants.push_back({&plain, true, true, false, step_code});
    if (!sloped.slopes.empty()) variants.push_back({&sloped, true, true, true, step_code});
  }
  return variants;
}

// Adds a row's tallies to those of a variant.
void add_row(const ClassVariant& variant, std::size_t row, const PerClass<std::uint32_t>& ones,
             const PerClass<std::uint32_t>& totals, ShiftTallies& tallies) {
  const int of_row =
      variant.rows ? variant.step() * coarser(variant.classes->rows[row], variant.step_code) : 0;
  const int slope = variant.classes->slope(row);
  for (int k = -kFinest; k <= kFinest; ++k) {
    const std::size_t i = class_index(k);
    if (totals[i] == 0) continue;
    const int of_col =
        variant.cols ? slope * variant.step() * coarser(k, variant.step_code) / 2 : 0;
    tallies[shift_index(of_row + of_col)] += {ones[i], totals[i] - ones[i]};
  }
}

}  // namespace

std::uint64_t cost_at(const ShiftTallies& tallies, int offset) {
  std::uint64_t cost = 0;
  for (int shift = -kMaxShift; shift <= kMaxShift; shift += 2) {
    const Tally& tally = tallies[shift_index(shift)];
    if (tally.ones + tally.others == 0) continue;
    const std::uint32_t p = probability(offset + shift);
    cost += tally.ones * bits_q16(p) + tally.others * bits_q16(65536 - p);
  }
  return cost;
}

int best_offset(const ShiftTallies& tallies) {
  int low = -kMaxOffset;  // bisection on the slope: the cost is convex in the offset
  int high = kMaxOffset;
  while (low < high) {
    const int middle = (low + high + 2 * kMaxOffset) / 2 - kMaxOffset;
    if (cost_at(tallies, middle) <= cost_at(tallies, middle + 1))
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

PerClass<std::uint32_t> histogram(std::span<const std::int8_t> classes) {
  PerClass<std::uint32_t> totals{};
  for (const std::int8_t value : classes) ++totals[class_index(value)];
  return totals;
}

PerClass<std::uint32_t> row_ones(const std::uint8_t* digits, std::span<const std::int8_t> cols) {
  PerClass<std::uint32_t> ones{};
  for (std::size_t col = 0; col < cols.size(); ++col)
    ones[class_index(cols[col])] += digits[col] & 1U;
  return ones;
}

int coarser(int finest, unsigned step_code) {
  const int size = 1 << step_code;
  return finest < 0 ? -((-finest + size / 2) / size) : (finest + size / 2) / size;
}

ClassVariant choose_variant(const ContentSource& source, int threads, const FinestClasses& plain,
                            const FinestClasses& sloped) {
  const std::vector<ClassVariant> variants = variants_of(plain, sloped);
  const std::size_t workers = num_workers(source, threads);
  std::vector<std::vector<ShiftTallies>> tallies(workers,
                                                 std::vector<ShiftTallies>(variants.size()));
  const auto plain_totals = histogram(plain.cols);
  const auto sloped_totals = histogram(sloped.cols);
  visit_digits(source, workers, [&](std::size_t worker, const Block& block, auto digits) {
    for (std::size_t i = 0; i < block.rows; ++i) {
      const std::uint8_t* of = digits.data() + i * block.cols;
      const auto plain_ones = row_ones(of, plain.cols);
      const auto sloped_ones = sloped.slopes.empty() ? plain_ones : row_ones(of, sloped.cols);
      for (std::size_t v = 0; v < variants.size(); ++v)
        add_row(variants[v], static_cast<std::size_t>(block.first_row) + i,
                variants[v].slopes ? sloped_ones : plain_ones,
                variants[v].slopes ? sloped_totals : plain_totals, tallies[worker][v]);
    }
  });
  std::size_t best = 0;
  std::uint64_t least = ~std::uint64_t{0};
  for (std::size_t v = 0; v < variants.size(); ++v) {
    ShiftTallies sum{};
    for (std::size_t worker = 0; worker < workers; ++worker)
      for (std::size_t i = 0; i < kShifts; ++i) sum[i] += tallies[worker][v][i];
    const std::uint64_t cost =
        cost_at(sum, best_offset(sum)) + side_cost(variants[v], num_blocks(source.content()));
    if (cost >= least) continue;
    least = cost;
    best = v;
  }
  return variants[best];
}

}  // namespace bankai::packer
