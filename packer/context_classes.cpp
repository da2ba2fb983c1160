#include "packer/context_classes.h"

#include <algorithm>
#include <iterator>

#include "kernels/scalar_math.h"
#include "packer/class_variants.h"
#include "packer/digit_blocks.h"
#include "packer/frequency_table.h"

namespace bankai::packer {
namespace {

constexpr unsigned kRounds = 2;  // of rows after columns after rows …

struct Counts {
  std::vector<std::uint32_t> rows;  // digits that are 1, per row
  std::vector<std::uint64_t> cols;  // and per column
  int base = 0;                     // the logit of all together, in 1/32
};

Counts count_ones(const ContentSource& source, int threads) {
  const Content& content = source.content();
  const std::size_t workers = num_workers(source, threads);
  Counts counts;
  counts.rows.resize(static_cast<std::size_t>(content.rows));
  std::vector<std::vector<std::uint64_t>> cols(
      workers, std::vector<std::uint64_t>(static_cast<std::size_t>(content.cols)));
  visit_digits(source, workers, [&](std::size_t worker, const Block& block, auto digits) {
    std::vector<std::uint32_t> here(block.cols);
    for (std::size_t row = 0; row < block.rows; ++row) {
      const std::uint8_t* of = digits.data() + row * block.cols;
      std::uint32_t ones = 0;
      for (std::size_t col = 0; col < block.cols; ++col) {
        here[col] += of[col] & 1U;
        ones += of[col] & 1U;
      }
      counts.rows[static_cast<std::size_t>(block.first_row) + row] = ones;
    }
    for (std::size_t col = 0; col < block.cols; ++col) cols[worker][col] += here[col];
  });
  counts.cols = std::move(cols[0]);
  for (std::size_t worker = 1; worker < workers; ++worker)
    for (std::size_t col = 0; col < counts.cols.size(); ++col)
      counts.cols[col] += cols[worker][col];
  std::uint64_t ones = 0;
  for (const std::uint64_t count : counts.cols) ones += count;
  const double odds =
      (static_cast<double>(ones) + 0.5) / (static_cast<double>(content.elements() - ones) + 0.5);
  counts.base = static_cast<int>(std::clamp(kernels::log_f64(odds) * 32.0, -256.0, 256.0));
  return counts;
}

// The class with which as many digits as possible are expected to be 1 as there are, among
// `totals[k]` digits with the class k on the other side.
std::int8_t solve_class(const PerClass<std::uint32_t>& totals, int slope, std::uint64_t ones,
                        int base) {
  const auto expected = [&](int finest) {
    std::uint64_t sum = 0;
    for (int k = -kFinest; k <= kFinest; ++k)
      if (const std::uint32_t total = totals[class_index(k)]; total != 0)
        sum += std::uint64_t{total} *
               probability(base + kFinestStep * finest + kFinestStep * slope * k / 2);
    return sum;
  };
  const std::uint64_t wanted = ones << 16U;
  int low = -kFinest;  // the smallest class that expects enough
  int high = kFinest;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (expected(middle) >= wanted)
      high = middle;
    else
      low = middle + 1;
  }
  if (low > -kFinest) {
    const std::uint64_t here = expected(low);
    const std::uint64_t before = expected(low - 1);
    if (wanted - before < (here > wanted ? here - wanted : wanted - here)) --low;
  }
  return static_cast<std::int8_t>(low);
}

// Without slopes the counts of rows and columns say everything (as in Rasch's model): rows and
// columns are solved for in turn.
FinestClasses fit_without_slopes(const Counts& counts) {
  FinestClasses classes;
  classes.rows.resize(counts.rows.size());
  classes.cols.resize(counts.cols.size());
  for (unsigned round = 0; round < kRounds; ++round) {
    const auto rows = histogram(classes.rows);
    for (std::size_t col = 0; col < counts.cols.size(); ++col)
      classes.cols[col] = solve_class(rows, 2, counts.cols[col], counts.base);
    const auto cols = histogram(classes.cols);
    for (std::size_t row = 0; row < counts.rows.size(); ++row)
      classes.rows[row] = solve_class(cols, 2, counts.rows[row], counts.base);
  }
  return classes;
}

std::uint64_t row_cost(const PerClass<std::uint32_t>& ones, const PerClass<std::uint32_t>& totals,
                       int shift, int slope) {
  std::uint64_t cost = 0;
  for (int k = -kFinest; k <= kFinest; ++k) {
    const std::size_t i = class_index(k);
    if (totals[i] == 0) continue;
    const std::uint32_t p = probability(shift + kFinestStep * slope * k / 2);
    cost += ones[i] * std::uint64_t{bits_q16(p)} +
            (totals[i] - ones[i]) * std::uint64_t{bits_q16(65536 - p)};
  }
  return cost;
}

// Gives every row the slope and class of least cost; returns what that saves against slopes of 1,
// in bits times 2^16.
std::uint64_t fit_slopes(const ContentSource& source, int threads, const Counts& counts,
                         FinestClasses& classes) {
  const auto totals = histogram(classes.cols);
  classes.slopes.resize(classes.rows.size());
  const std::size_t workers = num_workers(source, threads);
  std::vector<std::uint64_t> saved(workers);
  constexpr std::uint64_t kCodeCost = std::uint64_t{3} << 16U;
  visit_digits(source, workers, [&](std::size_t worker, const Block& block, auto digits) {
    for (std::size_t i = 0; i < block.rows; ++i) {
      const auto row = static_cast<std::size_t>(block.first_row) + i;
      const auto ones = row_ones(digits.data() + i * block.cols, classes.cols);
      std::uint64_t least = ~std::uint64_t{0};
      std::uint64_t plain = 0;
      for (std::uint8_t code = 0; code < kSlopes.size(); ++code) {
        const std::int8_t finest =
            solve_class(totals, kSlopes[code], counts.rows[row], counts.base);
        const std::uint64_t cost =
            row_cost(ones, totals, counts.base + kFinestStep * finest, kSlopes[code]) +
            (code == kPlainSlope ? 0 : kCodeCost);
        if (code == kPlainSlope) plain = cost;
        if (cost >= least) continue;
        least = cost;
        classes.slopes[row] = code;
        classes.rows[row] = finest;
      }
      saved[worker] += plain - least;
    }
  });
  std::uint64_t sum = 0;
  for (const std::uint64_t part : saved) sum += part;
  return sum;
}

// Gives the rows slopes for a start; false if that promises no gain.
bool has_use_for_slopes(const ContentSource& source, int threads, const Counts& counts,
                        FinestClasses& classes) {
  constexpr std::uint64_t kFewestCols = 64;  // fewer digits do not tell a slope
  if (source.content().cols < kFewestCols) return false;
  const std::uint64_t saved = fit_slopes(source, threads, counts, classes);
  // Less than a two-thousandth of a bit per digit is what fitting noise gives.
  return saved >> 5U >= source.content().elements();
}

// One step of Newton's method for the columns' classes, given the rows' classes and slopes.
void refit_columns(const ContentSource& source, int threads, const Counts& counts,
                   FinestClasses& classes) {
  struct Derivatives {
    std::int64_t first = 0;
    std::int64_t second = 0;
  };
  const std::size_t workers = num_workers(source, threads);
  std::vector<std::vector<Derivatives>> sums(workers,
                                             std::vector<Derivatives>(classes.cols.size()));
  visit_digits(source, workers, [&](std::size_t worker, const Block& block, auto digits) {
    for (std::size_t i = 0; i < block.rows; ++i) {
      const auto row = static_cast<std::size_t>(block.first_row) + i;
      const int slope = classes.slope(row);
      PerClass<std::int32_t> p{};
      for (int k = -kFinest; k <= kFinest; ++k)
        p[class_index(k)] = static_cast<std::int32_t>(probability(
            counts.base + kFinestStep * classes.rows[row] + kFinestStep * slope * k / 2));
      for (std::size_t col = 0; col < block.cols; ++col) {
        const std::int32_t expected = p[class_index(classes.cols[col])];
        const std::int32_t found = (digits[i * block.cols + col] & 1) << 16;
        Derivatives& sum = sums[worker][col];
        sum.first += std::int64_t{slope} * (found - expected);
        sum.second +=
            std::int64_t{slope} * slope * ((std::int64_t{expected} * (65536 - expected)) >> 16);
      }
    }
  });
  for (std::size_t col = 0; col < classes.cols.size(); ++col) {
    Derivatives sum = sums[0][col];
    for (std::size_t worker = 1; worker < workers; ++worker) {
      sum.first += sums[worker][col].first;
      sum.second += sums[worker][col].second;
    }
    if (sum.second <= 0) continue;
    // Slopes are in halves: the step in logits is 2 · first / second; eight classes per logit.
    const std::int64_t step =
        std::clamp<std::int64_t>(16 * sum.first / sum.second, -kFinest / 4, kFinest / 4);
    classes.cols[col] = static_cast<std::int8_t>(
        std::clamp<std::int64_t>(classes.cols[col] + step, -kFinest, kFinest));
  }
}

}  // namespace

RowClasses fit_classes(const ContentSource& source, int threads, ContextModel& model) {
  const Counts counts = count_ones(source, threads);
  const FinestClasses plain = fit_without_slopes(counts);
  FinestClasses sloped = plain;
  if (has_use_for_slopes(source, threads, counts, sloped)) {
    for (unsigned round = 0; round < kRounds; ++round) {
      refit_columns(source, threads, counts, sloped);
      fit_slopes(source, threads, counts, sloped);
    }
  } else {
    sloped.slopes.clear();
  }
  const ClassVariant variant = choose_variant(source, threads, plain, sloped);
  model.has_row_classes = variant.rows;
  model.has_col_classes = variant.cols;
  model.has_slopes = variant.slopes;
  model.step_code = variant.step_code;
  const auto coarsen = [&](std::int8_t finest) {
    return static_cast<std::int8_t>(coarser(finest, variant.step_code));
  };
  RowClasses rows;
  if (variant.rows)
    std::transform(variant.classes->rows.begin(), variant.classes->rows.end(),
                   std::back_inserter(rows.classes), coarsen);
  if (variant.cols)
    std::transform(variant.classes->cols.begin(), variant.classes->cols.end(),
                   std::back_inserter(model.col_classes), coarsen);
  if (variant.slopes) rows.slopes = variant.classes->slopes;
  return rows;
}

}  // namespace bankai::packer
