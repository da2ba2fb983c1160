#include "bfs/bit_changes.h"

#include <algorithm>

#include "bfs/change_sums.h"
#include "kernels/matmul.h"
#include "model/parallel.h"

namespace bankai::bfs {
namespace {

// Bits that a thread works on at a time: five arrays of them stay in the second-level cache, and
// the digits of the input are read once for all rows.
constexpr std::size_t kTileRows = 24;
constexpr std::size_t kTileCols = 512;
constexpr std::size_t kTilesTogether = 8;  // bits that are handed on together

// Bytes of a row of the model in its state.
const std::uint8_t* row_bytes(const model::WeightMatrix& matrix, const model::RowOverlay& state,
                              std::size_t row) {
  const std::uint8_t* replaced = state.find_row(matrix.address, row);
  return replaced != nullptr ? replaced : matrix.weights.data + row * matrix.weights.row_bytes;
}

// A tile of up to kTileRows × kTileCols bits of a matrix, and its place.
class BitTile {
 public:
  BitTile(const kernels::KernelTable& table, const BitRuns& runs, const TokenDigits& gradient,
          const TokenDigits& input, std::size_t cols)
      : table_(table),
        runs_(runs),
        gradient_(gradient),
        input_(input),
        cols_(cols),
        factors_(kTileRows * cols),
        changes_(kTileRows * kTileCols),
        gains_(changes_.size()),
        losses_(changes_.size()),
        sums_(changes_.size()) {}

  // Factors −2w of the rows that the next tiles are of.
  void set_rows(const model::WeightMatrix& matrix, const model::RowOverlay& state,
                IndexRange rows) {
    rows_ = rows;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      kernels::WeightRows one = matrix.weights.slice(rows.begin + r, 1);
      one.data = row_bytes(matrix, state, rows.begin + r);
      kernels::widen_row(one, 0, factors_.data() + r * cols_);
    }
    for (std::size_t i = 0; i < rows.size() * cols_; ++i) factors_[i] *= -2.0F;
  }
  // Changes of the rows' bits in some columns, to out (rows, all columns).
  void score(IndexRange some, PredictedChange* out) {
    const std::size_t n = some.size();
    bool has_gains = false, has_losses = false;
    sums_.clear();
    clear(losses_);
    for (const BitRuns::Run& run : runs_.runs()) {
      if (run.effect.is_control) {
        add_products(run, some, 1.0F, false, changes_);
        for (std::size_t r = 0; r < rows_.size(); ++r)
          table_.add_shortfalls(changes_.data() + r * n, factors_.data() + r * cols_ + some.begin,
                                n, run.effect.slack, run.effect.weight, losses_.data() + r * n);
        has_losses = true;
      } else {
        add_products(run, some, run.effect.weight, has_gains, gains_);
        has_gains = true;
      }
      if (!run.ends_slice) continue;
      for (std::size_t r = 0; r < rows_.size() && has_gains; ++r)
        sums_.add_gains(table_, r * n, n, gains_.data() + r * n,
                        factors_.data() + r * cols_ + some.begin);
      if (has_losses) sums_.add_losses(table_, 0, rows_.size() * n, losses_.data());
      if (has_losses) clear(losses_);
      has_gains = has_losses = false;
    }
    for (std::size_t r = 0; r < rows_.size(); ++r)
      for (std::size_t c = 0; c < n; ++c) out[r * cols_ + some.begin + c] = sums_.change(r * n + c);
  }

 private:
  void clear(std::vector<float>& values) const { std::fill(values.begin(), values.end(), 0.0F); }

  // to (rows, some) = weight · Σ ȳ x over the run, added to what is there if `adds`.
  void add_products(const BitRuns::Run& run, IndexRange some, float weight, bool adds,
                    std::vector<float>& to) const {
    for (std::size_t span = run.spans.begin; span < run.spans.end; ++span) {
      float scales[kTileRows];
      for (std::size_t r = 0; r < rows_.size(); ++r)
        scales[r] = weight * gradient_.scales(span)[rows_.begin + r];
      const std::size_t stride = gradient_.stride(span);
      table_.add_digit_products(gradient_.digits(span) + rows_.begin * stride, stride, scales,
                                rows_.size(), input_.digits(span) + 4 * some.begin, cols_,
                                input_.scales(span) + some.begin, some.size(), stride,
                                adds || span > run.spans.begin, to.data(), some.size());
    }
  }

  const kernels::KernelTable& table_;
  const BitRuns& runs_;
  const TokenDigits& gradient_;
  const TokenDigits& input_;
  std::size_t cols_;
  IndexRange rows_;
  std::vector<float> factors_;                   // (rows, all columns)
  std::vector<float> changes_, gains_, losses_;  // (rows, some columns)
  ChangeSums sums_;
};

}  // namespace

void BitRuns::clear() {
  runs_.clear();
  spans_.clear();
  num_spans_ = 0;
}

void BitRuns::add_slice(std::span<const ItemTokens> items) {
  spans_.clear();
  std::vector<ItemTokens> sums;
  for (const ItemTokens& item : items) {
    const bool continues = !sums.empty() && !sums.back().effect.is_control &&
                           !item.effect.is_control &&
                           sums.back().effect.weight == item.effect.weight;
    if (continues)
      sums.back().tokens.end = item.tokens.end;
    else
      sums.push_back(item);
  }
  for (const ItemTokens& sum : sums) {
    const std::size_t first_span = num_spans_ + spans_.size();
    for (std::size_t t = sum.tokens.begin; t < sum.tokens.end; t += kernels::kDigitTokens)
      spans_.push_back({t, std::min(sum.tokens.end, t + kernels::kDigitTokens)});
    runs_.push_back({sum.effect, {first_span, num_spans_ + spans_.size()}, false});
  }
  if (!sums.empty()) runs_.back().ends_slice = true;
  num_spans_ += spans_.size();
}

void score_bits(model::Transformer& transformer, const model::WeightMatrix& matrix,
                const model::RowOverlay& state, const BitRuns& runs, const TokenDigits& gradient,
                const TokenDigits& input, CandidateId first, ChangeSink& sink) {
  const std::size_t rows = matrix.weights.rows;
  const std::size_t cols = matrix.weights.cols;
  constexpr std::size_t kRowsTogether = kTilesTogether * kTileRows;
  std::vector<PredictedChange> changes(std::min(rows, kRowsTogether) * cols);
  const int threads = transformer.options().threads;
  std::vector<BitTile> tiles(static_cast<std::size_t>(std::max(threads, 1)),
                             BitTile(transformer.table(), runs, gradient, input, cols));
  for (std::size_t row = 0; row < rows; row += kRowsTogether) {
    const std::size_t count = std::min(kRowsTogether, rows - row);
    const std::size_t num_tiles = (count + kTileRows - 1) / kTileRows;
    model::parallel_for(threads, tiles.size(), [&](IndexRange range) {
      for (std::size_t worker = range.begin; worker < range.end; ++worker)
        for (std::size_t i = worker; i < num_tiles; i += tiles.size()) {
          const IndexRange some{i * kTileRows, std::min(count, (i + 1) * kTileRows)};
          tiles[worker].set_rows(matrix, state, {row + some.begin, row + some.end});
          for (std::size_t col = 0; col < cols; col += kTileCols)
            tiles[worker].score({col, std::min(cols, col + kTileCols)},
                                changes.data() + some.begin * cols);
        }
    });
    sink.take(first + row * cols, std::span(changes).first(count * cols));
  }
}

}  // namespace bankai::bfs
