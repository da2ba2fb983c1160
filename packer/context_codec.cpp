// The codecs bits.context and trits.context: digits with the probabilities of a ContextModel,
// entropy-coded. Up to eight lanes, each with a run of rows of the block, so that the digits that a
// digit's probability depends on have been decoded long before.
#include <algorithm>

#include "core/bit_matrix.h"
#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/partition.h"
#include "packer/codec_list.h"
#include "packer/context_fit.h"
#include "packer/context_model.h"
#include "packer/digit_blocks.h"
#include "packer/rans.h"

namespace bankai::packer {
namespace {

constexpr std::size_t kElementsForLanes = 65536;

// Which rows of a block are in which lane. Lanes take turns column by column: those with a row left
// (the first ones) in step k code their k-th row together.
struct LaneRows {
  explicit LaneRows(const Block& block)
      : lanes(block.elements() < kElementsForLanes ? 1 : std::min(kMaxLanes, block.rows)),
        steps((block.rows + lanes - 1) / lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane)
      first_row[lane] = part_of(block.rows, lanes, lane).begin;
    first_row[lanes] = block.rows;
  }
  std::size_t active(std::size_t step) const {
    std::size_t lane = lanes;
    while (first_row[lane - 1] + step >= first_row[lane]) --lane;
    return lane;
  }

  std::size_t lanes;
  std::size_t steps;
  std::array<std::size_t, kMaxLanes + 1> first_row{};
};

// A row as the coder walks it.
struct RowCursor {
  std::uint8_t* digits = nullptr;
  const std::uint8_t* above = nullptr;  // of as many digits
  const std::int16_t* col_shifts = nullptr;
  const std::uint16_t* probabilities = nullptr;  // of t = 0, shifted by the row's class
};

// A block's rows as both directions need them.
struct BlockRows {
  const ContextModel& model;
  const ColumnShifts& shifts;
  LaneRows lanes;
  std::size_t cols;
  std::vector<std::int8_t> classes;  // one per row, or empty
  std::vector<std::uint8_t> slopes;  // likewise
  std::vector<std::uint8_t> digits;  // row-major
  std::vector<std::uint8_t> above_first;

  BlockRows(const ContextModel& of_model, const ColumnShifts& of_columns, const Block& block)
      : model(of_model),
        shifts(of_columns),
        lanes(block),
        cols(block.cols),
        above_first(block.cols, digit_above_first_row(of_model.is_trits)) {}

  // The cursors of a step's active lanes.
  std::array<RowCursor, kMaxLanes> cursors(std::size_t step, std::size_t active) {
    std::array<RowCursor, kMaxLanes> cursors{};
    for (std::size_t lane = 0; lane < active; ++lane) {
      const std::size_t row = lanes.first_row[lane] + step;
      RowCursor& cursor = cursors[lane];
      cursor.digits = digits.data() + row * cols;
      // A lane's first row cannot see the last one of the lane before: it is decoded later.
      cursor.above = step == 0 ? above_first.data() : cursor.digits - cols;
      cursor.col_shifts = shifts.of_slope(slopes.empty() ? kPlainSlope : slopes[row]);
      cursor.probabilities = probability_table().data() + kMaxLogit +
                             (classes.empty() ? 0 : model.step() * classes[row]);
    }
    return cursors;
  }
};

std::uint32_t probability_of_one(const ContextModel& model, const RowCursor& row, std::size_t col,
                                 unsigned context) {
  return row.probabilities[model.offset[context] + row.col_shifts[col]];
}

// All bits set, or none: for choices without branches, which would be mispredicted as often as a
// digit is a surprise.
std::uint32_t mask_of(bool condition) { return 0U - static_cast<std::uint32_t>(condition); }

struct Interval {
  std::uint32_t start;
  std::uint32_t frequency;
};

// The intervals are, in order, those of 1 and 0 for bits, of 0, +1 and −1 for trits. The masks say
// that the digit's is behind the first, and behind the second.
template <bool kTrits>
Interval interval_of(std::uint32_t one, std::uint32_t plus_share, std::uint32_t past_one,
                     std::uint32_t past_plus) {
  if constexpr (!kTrits) return {past_one & one, one + (past_one & (65536 - one - one))};
  const std::uint32_t plus = frequency_of_plus(one, plus_share);
  const std::uint32_t minus = 65536 - one - plus;
  return {(past_one & one) + (past_plus & plus),
          one + (past_one & (plus - one)) + (past_plus & (minus - plus))};
}

// The left part of the context of `col`.
unsigned left_context_at(const std::uint8_t* digits, std::size_t col) {
  const std::size_t in_group = col % kGroupCols;
  if (in_group == 0) return kNoLeft;
  return left_context(digits[col - 1], in_group == 1 ? kNoLeft : digits[col - 2]);
}

template <bool kTrits>
void encode_digits(BlockRows& rows, RansEncoder& encoder) {
  const ContextModel& model = rows.model;
  for (std::size_t step = rows.lanes.steps; step-- > 0;) {
    const std::size_t active = rows.lanes.active(step);
    const auto cursors = rows.cursors(step, active);
    for (std::size_t col = rows.cols; col-- > 0;)
      for (std::size_t lane = active; lane-- > 0;) {
        const RowCursor& row = cursors[lane];
        const unsigned context = left_context_at(row.digits, col) + above_context(row.above[col]);
        const unsigned digit = row.digits[col];
        const Interval interval =
            interval_of<kTrits>(probability_of_one(model, row, col, context), model.plus[context],
                                mask_of(digit != 1), mask_of(digit == 0));
        encoder.put(lane, interval.start, interval.frequency, kContextPrecision);
      }
  }
}

// Decodes one digit and returns the left part of the next context.
template <bool kTrits, bool kChecked>
unsigned next_digit(const ContextModel& model, const RowCursor& row, std::size_t col, unsigned left,
                    std::uint64_t& state, RansWords& words) {
  const unsigned context = left + above_context(row.above[col]);
  const std::uint32_t one = probability_of_one(model, row, col, context);
  const auto slot = static_cast<std::uint32_t>(state) & 0xffffU;
  const std::uint32_t past_one = mask_of(slot >= one);
  std::uint32_t past_plus = past_one;
  if constexpr (kTrits)
    past_plus = mask_of(slot >= one + frequency_of_plus(one, model.plus[context]));
  const Interval interval = interval_of<kTrits>(one, model.plus[context], past_one, past_plus);
  words.advance<kChecked>(state, slot, interval.start, interval.frequency, kContextPrecision);
  const unsigned digit = kTrits ? (1U - past_one) & ~past_plus : 1U + past_one;
  row.digits[col] = static_cast<std::uint8_t>(digit);
  return digit + (12U & mask_of(left % 4 == 1));
}

// Decodes the columns of a group of one step; all lanes, or with checks the active ones.
template <bool kTrits, bool kChecked>
void decode_group(const ContextModel& model, const std::array<RowCursor, kMaxLanes>& cursors,
                  std::size_t active, std::size_t begin, std::size_t end, RansStream& stream) {
  // Copies whose address nobody has, so that they stay in registers across the stores.
  std::array<std::uint64_t, kMaxLanes> states = stream.states;
  RansWords words = stream.words;
  std::array<unsigned, kMaxLanes> left;
  left.fill(kNoLeft);
  for (std::size_t col = begin; col < end; ++col) {
    if constexpr (kChecked) {
      for (std::size_t lane = 0; lane < active; ++lane)
        left[lane] =
            next_digit<kTrits, true>(model, cursors[lane], col, left[lane], states[lane], words);
    } else {
#pragma GCC unroll 8
      for (std::size_t lane = 0; lane < kMaxLanes; ++lane)
        left[lane] =
            next_digit<kTrits, false>(model, cursors[lane], col, left[lane], states[lane], words);
    }
  }
  stream.states = states;
  stream.words = words;
}

template <bool kTrits>
void decode_digits(BlockRows& rows, RansStream& stream) {
  const ContextModel& model = rows.model;
  for (std::size_t step = 0; step < rows.lanes.steps; ++step) {
    const std::size_t active = rows.lanes.active(step);
    const auto cursors = rows.cursors(step, active);
    for (std::size_t begin = 0; begin < rows.cols; begin += kGroupCols) {
      const std::size_t end = std::min(rows.cols, begin + kGroupCols);
      if (active == kMaxLanes && stream.words.remaining() >= (end - begin) * kMaxLanes * 4)
        decode_group<kTrits, false>(model, cursors, active, begin, end, stream);
      else
        decode_group<kTrits, true>(model, cursors, active, begin, end, stream);
    }
  }
}

// The part [first, first + count) of a list with one entry per row; empty if the list is.
template <typename T>
std::vector<T> part_of_rows(const std::vector<T>& list, const Block& block) {
  if (list.empty()) return {};
  const auto first = list.begin() + static_cast<std::ptrdiff_t>(block.first_row);
  return {first, first + static_cast<std::ptrdiff_t>(block.rows)};
}

class ContextEncoder final : public ContentEncoder {
 public:
  ContextEncoder(const ContentSource& source, int threads)
      : content_(source.content()),
        fitted_(fit_contexts(source, threads)),
        shifts_(fitted_.model, block_at(content_, 0).cols),
        shared_(write_model(fitted_.model)) {}

  std::span<const std::byte> shared_part() const override { return shared_; }
  std::optional<std::uint64_t> estimated_bytes() const override { return fitted_.digit_bytes; }

  std::uint64_t encode(const Block& block, std::span<const std::byte> logical,
                       std::vector<std::byte>* out) const override {
    const ContextModel& model = fitted_.model;
    BlockRows rows(model, shifts_, block);
    digits_of(content_, logical, rows.digits);
    rows.classes = part_of_rows(fitted_.rows.classes, block);
    rows.slopes = part_of_rows(fitted_.rows.slopes, block);
    ByteWriter head;
    const auto write = [&](const std::vector<std::byte>& list) {
      head.write_varint(list.size());
      head.write_bytes(list);
    };
    if (model.has_row_classes) write(write_classes(rows.classes, model.max_class()));
    if (model.has_slopes) write(write_list(rows.slopes, kSlopes.size()));
    RansEncoder encoder(rows.lanes.lanes, out != nullptr);
    (model.is_trits ? encode_digits<true> : encode_digits<false>)(rows, encoder);
    if (out != nullptr) {
      out->insert(out->end(), head.bytes().begin(), head.bytes().end());
      encoder.append_to(*out);
    }
    return head.size() + encoder.size_bytes();
  }

 private:
  Content content_;
  FittedContexts fitted_;
  ColumnShifts shifts_;
  std::vector<std::byte> shared_;
};

class ContextDecoder final : public ContentDecoder {
 public:
  ContextDecoder(const Content& content, ContextModel model)
      : content_(content), model_(std::move(model)), shifts_(model_, block_at(content, 0).cols) {}

  Status decode(const Block& block, std::span<const std::byte> encoded,
                std::span<std::byte> logical) const override {
    BlockRows rows(model_, shifts_, block);
    ByteReader reader(encoded);
    if (model_.has_row_classes) {
      BANKAI_ASSIGN_OR_RETURN(const std::uint64_t bytes, reader.read_varint("size of row classes"));
      BANKAI_ASSIGN_OR_RETURN(const auto list, reader.read_bytes(bytes, "row classes"));
      BANKAI_ASSIGN_OR_RETURN(rows.classes, read_classes(list, block.rows, model_.max_class()));
    }
    if (model_.has_slopes) {
      BANKAI_ASSIGN_OR_RETURN(const std::uint64_t bytes, reader.read_varint("size of slopes"));
      BANKAI_ASSIGN_OR_RETURN(const auto list, reader.read_bytes(bytes, "slopes"));
      BANKAI_ASSIGN_OR_RETURN(rows.slopes, read_list(list, block.rows, kSlopes.size()));
    }
    BANKAI_ASSIGN_OR_RETURN(RansStream stream,
                            RansStream::open(encoded.subspan(reader.offset()), rows.lanes.lanes));
    rows.digits.resize(block.elements());
    (model_.is_trits ? decode_digits<true> : decode_digits<false>)(rows, stream);
    BANKAI_RETURN_IF_ERROR(stream.finish(rows.lanes.lanes));
    logical_of(content_, rows.digits, logical);
    return {};
  }

 private:
  Content content_;
  ContextModel model_;
  ColumnShifts shifts_;
};

class ContextCodec final : public Codec {
 public:
  ContextCodec(ContentKind kind, std::string_view name, std::uint8_t id, std::string_view summary,
               std::uint32_t rate)
      : kind_(kind), name_(name), id_(id), summary_(summary), rate_(rate) {}
  std::string_view name() const override { return name_; }
  std::uint8_t id() const override { return id_; }
  std::string_view summary() const override { return summary_; }
  bool accepts(const Content& content) const override { return content.kind == kind_; }
  std::uint32_t decode_rate(const Content&) const override { return rate_; }
  bool has_shared_part() const override { return true; }
  std::unique_ptr<ContentEncoder> make_encoder(const ContentSource& source,
                                               int threads) const override {
    return std::make_unique<ContextEncoder>(source, threads);
  }
  Result<std::unique_ptr<ContentDecoder>> make_decoder(
      const Content& content, std::span<const std::byte> shared_part) const override {
    const std::size_t cols = block_at(content, 0).has_whole_rows ? block_at(content, 0).cols : 0;
    BANKAI_ASSIGN_OR_RETURN(ContextModel model,
                            read_model(shared_part, content.kind == ContentKind::kTrits, cols));
    return std::unique_ptr<ContentDecoder>(
        std::make_unique<ContextDecoder>(content, std::move(model)));
  }

 private:
  ContentKind kind_;
  std::string_view name_;
  std::uint8_t id_;
  std::string_view summary_;
  std::uint32_t rate_;
};

}  // namespace

const Codec& bits_context_codec() {
  static const ContextCodec codec(ContentKind::kBits, "bits.context", codec_ids::kBitsContext,
                                  "entropy coding by row, column and neighbours", 150);
  return codec;
}
const Codec& trits_context_codec() {
  static const ContextCodec codec(ContentKind::kTrits, "trits.context", codec_ids::kTritsContext,
                                  "entropy coding by row, column and neighbours", 150);
  return codec;
}

}  // namespace bankai::packer
