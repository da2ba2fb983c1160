#include "packer/context_model.h"

#include <algorithm>

#include "core/format.h"
#include "kernels/scalar_math.h"
#include "packer/bit_stream.h"
#include "packer/symbol_coder.h"

namespace bankai::packer {
namespace {

constexpr unsigned kOffsetOrder = 6;  // Golomb orders: of the first offset,
constexpr unsigned kDeltaOrder = 1;   // of what the others differ from it,
constexpr unsigned kPlusOrder = 1;    // and of shares, less 128
constexpr int kEvenShare = 128;

}  // namespace

const std::array<std::uint16_t, 2 * kMaxLogit + 1>& probability_table() {
  static const auto table = [] {
    std::array<std::uint16_t, 2 * kMaxLogit + 1> probabilities{};
    for (int t = -kMaxLogit; t <= kMaxLogit; ++t) {
      const double p = 65536.0 / (1.0 + kernels::exp_f64(-t / 32.0));
      probabilities[static_cast<std::size_t>(t + kMaxLogit)] =
          static_cast<std::uint16_t>(std::clamp(static_cast<int>(p + 0.5), 1, 65534));
    }
    return probabilities;
  }();
  return table;
}

std::vector<std::byte> write_model(const ContextModel& model) {
  BitWriter bits;
  bits.write(model.has_row_classes ? 1 : 0, 1);
  bits.write(model.has_col_classes ? 1 : 0, 1);
  bits.write(model.has_slopes ? 1 : 0, 1);
  bits.write(model.step_code, 2);
  for (unsigned j = 0; j < kContexts; ++j) {
    const int around = j == 0 ? 0 : model.offset[0];
    bits.write_signed_golomb(model.offset[j] - around, j == 0 ? kOffsetOrder : kDeltaOrder);
  }
  if (model.is_trits)
    for (const std::uint8_t plus : model.plus)
      bits.write_signed_golomb(plus - kEvenShare, kPlusOrder);
  std::vector<std::byte> out = std::move(bits).finish();
  if (model.has_col_classes) {
    const auto classes = write_classes(model.col_classes, model.max_class());
    out.insert(out.end(), classes.begin(), classes.end());
  }
  return out;
}

Result<ContextModel> read_model(std::span<const std::byte> bytes, bool is_trits, std::size_t cols) {
  BitReader bits(bytes);
  ContextModel model;
  model.is_trits = is_trits;
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t has_row_classes, bits.read(1));
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t has_col_classes, bits.read(1));
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t has_slopes, bits.read(1));
  BANKAI_ASSIGN_OR_RETURN(model.step_code, bits.read(2));
  model.has_row_classes = has_row_classes != 0;
  model.has_col_classes = has_col_classes != 0;
  model.has_slopes = has_slopes != 0;
  if (model.step_code > 2 || (cols == 0 && (model.has_row_classes || model.has_col_classes)) ||
      (model.has_slopes && !model.has_col_classes))
    return make_error(ErrorCode::kBadInput, "a context model that does not fit the content");
  for (unsigned j = 0; j < kContexts; ++j) {
    const int around = j == 0 ? 0 : model.offset[0];
    BANKAI_ASSIGN_OR_RETURN(const std::int64_t shift,
                            bits.read_signed_golomb(j == 0 ? kOffsetOrder : kDeltaOrder,
                                                    -kMaxOffset - around, kMaxOffset - around));
    model.offset[j] = static_cast<std::int16_t>(around + shift);
  }
  for (std::uint8_t& plus : model.plus) {
    if (!is_trits) break;
    BANKAI_ASSIGN_OR_RETURN(const std::int64_t share,
                            bits.read_signed_golomb(kPlusOrder, 1 - kEvenShare, 255 - kEvenShare));
    plus = static_cast<std::uint8_t>(kEvenShare + share);
  }
  BANKAI_ASSIGN_OR_RETURN(const std::span<const std::byte> rest, bits.rest());
  if (model.has_col_classes) {
    BANKAI_ASSIGN_OR_RETURN(model.col_classes, read_classes(rest, cols, model.max_class()));
  } else if (!rest.empty()) {
    return make_error(ErrorCode::kBadInput, "%zu bytes behind the context model", rest.size());
  }
  return model;
}

std::vector<std::byte> write_list(std::span<const std::uint8_t> symbols, std::size_t num_symbols) {
  std::vector<std::uint64_t> counts(num_symbols);
  for (const std::uint8_t symbol : symbols) ++counts[symbol];
  const FrequencyTable table = FrequencyTable::best_for_counts(counts);
  BitWriter bits;
  table.write(bits);
  std::vector<std::byte> out = std::move(bits).finish();
  encode_symbols(table, symbols, &out);
  return out;
}

Result<std::vector<std::uint8_t>> read_list(std::span<const std::byte> bytes, std::size_t count,
                                            std::size_t num_symbols) {
  BitReader bits(bytes);
  BANKAI_ASSIGN_OR_RETURN(const FrequencyTable table, FrequencyTable::read(bits, num_symbols));
  BANKAI_ASSIGN_OR_RETURN(const std::span<const std::byte> rest, bits.rest());
  std::vector<std::uint8_t> symbols(count);
  BANKAI_RETURN_IF_ERROR(decode_symbols(table, rest, symbols));
  return symbols;
}

std::vector<std::byte> write_classes(std::span<const std::int8_t> classes, int max_class) {
  std::vector<std::uint8_t> symbols(classes.size());
  std::transform(classes.begin(), classes.end(), symbols.begin(),
                 [&](std::int8_t value) { return static_cast<std::uint8_t>(value + max_class); });
  return write_list(symbols, static_cast<std::size_t>(2 * max_class + 1));
}

Result<std::vector<std::int8_t>> read_classes(std::span<const std::byte> bytes, std::size_t count,
                                              int max_class) {
  BANKAI_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> symbols,
                          read_list(bytes, count, static_cast<std::size_t>(2 * max_class + 1)));
  std::vector<std::int8_t> classes(count);
  std::transform(symbols.begin(), symbols.end(), classes.begin(),
                 [&](std::uint8_t symbol) { return static_cast<std::int8_t>(symbol - max_class); });
  return classes;
}

ColumnShifts::ColumnShifts(const ContextModel& model, std::size_t cols) {
  for (std::size_t code = 0; code < kSlopes.size(); ++code) {
    if (code != kPlainSlope && !model.has_slopes) continue;
    shifts_[code].resize(cols);
    for (std::size_t col = 0; col < model.col_classes.size(); ++col)
      shifts_[code][col] =
          static_cast<std::int16_t>(kSlopes[code] * model.step() * model.col_classes[col] / 2);
  }
}

}  // namespace bankai::packer
