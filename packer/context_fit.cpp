#include "packer/context_fit.h"

#include <algorithm>
#include <array>

#include "core/bit_matrix.h"
#include "packer/class_variants.h"
#include "packer/digit_blocks.h"
#include "packer/frequency_table.h"

namespace bankai::packer {
namespace {

struct ContextTallies {
  std::array<ShiftTallies, kContexts> shifts{};
  std::array<Tally, kContexts> signs{};  // ones: +1, others: −1
};

// A row's digits, those above (null in the first row of a block), and its shift of every column.
struct RowView {
  std::span<const std::uint8_t> digits;
  const std::uint8_t* above;
  const std::int16_t* col_shifts;
  int row_shift;
};

void count_row(const RowView& row, bool is_trits, ContextTallies& tallies) {
  unsigned left = kNoLeft;
  unsigned left_of_left = kNoLeft;
  for (std::size_t col = 0; col < row.digits.size(); ++col) {
    if (col % kGroupCols == 0) left = left_of_left = kNoLeft;
    const unsigned digit = row.digits[col];
    const unsigned above = row.above != nullptr ? row.above[col] : digit_above_first_row(is_trits);
    const unsigned context = left_context(left, left_of_left) + above_context(above);
    Tally& tally = tallies.shifts[context][shift_index(row.row_shift + row.col_shifts[col])];
    tally.ones += digit & 1U;
    tally.others += (digit & 1U) ^ 1U;
    tallies.signs[context].ones += digit >> 1U;
    tallies.signs[context].others += digit == 0 ? 1 : 0;
    left_of_left = left;
    left = digit;
  }
}

ContextTallies count_contexts(const ContentSource& source, const FittedContexts& fitted,
                              int threads) {
  const std::size_t workers = num_workers(source, threads);
  const ColumnShifts shifts(fitted.model, block_at(source.content(), 0).cols);
  std::vector<ContextTallies> tallies(workers);
  visit_digits(source, workers, [&](std::size_t worker, const Block& block, auto digits) {
    for (std::size_t i = 0; i < block.rows; ++i) {
      const auto row = static_cast<std::size_t>(block.first_row) + i;
      const std::uint8_t* of = digits.data() + i * block.cols;
      const RowView view = {
          {of, block.cols},
          i == 0 ? nullptr : of - block.cols,
          shifts.of_slope(fitted.model.has_slopes ? fitted.rows.slopes[row] : kPlainSlope),
          fitted.model.has_row_classes ? fitted.model.step() * fitted.rows.classes[row] : 0};
      count_row(view, fitted.model.is_trits, tallies[worker]);
    }
  });
  ContextTallies& total = tallies[0];
  for (std::size_t worker = 1; worker < workers; ++worker)
    for (unsigned j = 0; j < kContexts; ++j) {
      total.signs[j] += tallies[worker].signs[j];
      for (std::size_t i = 0; i < kShifts; ++i) total.shifts[j][i] += tallies[worker].shifts[j][i];
    }
  return total;
}

// What a parameter of its own takes in the file, roughly: it has to save more, in bits times 2^16.
constexpr std::uint64_t kParameterCost = std::uint64_t{14} << 16U;

// Bits, times 2^16, of signs with a share of plus in 1/256.
std::uint64_t cost_of_signs(const Tally& signs, std::uint32_t share) {
  return signs.ones * bits_q16(share << 8U) + signs.others * bits_q16((256 - share) << 8U);
}

// In 1/256; one half unless another share pays.
std::uint8_t share_of_plus(const Tally& signs) {
  const std::uint64_t count = signs.ones + signs.others;
  if (count == 0) return 128;
  const auto share = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>((signs.ones * 256 + count / 2) / count, 1, 255));
  return cost_of_signs(signs, share) + kParameterCost < count << 16U
             ? static_cast<std::uint8_t>(share)
             : 128;
}

// Returns what all digits take, in bytes.
std::uint64_t fit_offsets(const ContextTallies& tallies, ContextModel& model) {
  ShiftTallies all{};
  for (const ShiftTallies& shifts : tallies.shifts)
    for (std::size_t i = 0; i < kShifts; ++i) all[i] += shifts[i];
  const int common = best_offset(all);
  std::uint64_t bits_q16_of_all = 0;
  for (unsigned j = 0; j < kContexts; ++j) {
    const int own = best_offset(tallies.shifts[j]);
    const bool pays =
        cost_at(tallies.shifts[j], own) + kParameterCost < cost_at(tallies.shifts[j], common);
    model.offset[j] = static_cast<std::int16_t>(pays ? own : common);
    model.plus[j] = share_of_plus(tallies.signs[j]);
    bits_q16_of_all += cost_at(tallies.shifts[j], model.offset[j]);
    if (model.is_trits) bits_q16_of_all += cost_of_signs(tallies.signs[j], model.plus[j]);
  }
  return bits_q16_of_all >> 19U;
}

}  // namespace

FittedContexts fit_contexts(const ContentSource& source, int threads) {
  FittedContexts fitted;
  fitted.model.is_trits = source.content().kind == ContentKind::kTrits;
  if (block_at(source.content(), 0).has_whole_rows)
    fitted.rows = fit_classes(source, threads, fitted.model);
  fitted.digit_bytes = fit_offsets(count_contexts(source, fitted, threads), fitted.model);
  return fitted;
}

}  // namespace bankai::packer
