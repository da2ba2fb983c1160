#include "bfs/single_changes.h"

#include <algorithm>

#include "bfs/change_sums.h"
#include "bfs/single_weights.h"
#include "model/parallel.h"

namespace bankai::bfs {
namespace {

// Weights that a thread works on at a time: their arrays stay in the second-level cache, and the
// digits of the input are read once for all rows.
constexpr std::size_t kTileRows = 24;
constexpr std::size_t kTileCols = 512;
constexpr std::size_t kTilesTogether = 8;  // whose changes are handed on together

// A tile of up to kTileRows × kTileCols weights of a matrix, and its place.
class Tile {
 public:
  Tile(const kernels::KernelTable& table, const WeightRuns& runs, const TokenDigits& gradient,
       const TokenDigits& input, std::span<const SingleFlips> flips, std::size_t cols)
      : table_(table),
        runs_(runs),
        gradient_(gradient),
        input_(input),
        cols_(cols),
        products_(kTileRows * kTileCols),
        gains_(products_.size()) {
    for (const SingleFlips& some : flips)
      kinds_.push_back({some.kind, std::vector<float>(kTileRows * cols),
                        std::vector<float>(products_.size()), ChangeSums(products_.size())});
  }

  // What the flips of some rows change: the next tiles are of these rows.
  void set_rows(const model::WeightMatrix& matrix, const model::RowOverlay& state,
                IndexRange rows) {
    rows_ = rows;
    for (OneKind& kind : kinds_)
      for (std::size_t r = 0; r < rows.size(); ++r)
        weight_changes(matrix, row_bytes(matrix, state, rows.begin + r), kind.kind,
                       kind.factors.data() + r * cols_);
  }
  // Changes by the flips of the rows' weights in some columns; out[kind] (rows, all columns).
  void score(IndexRange some, std::span<PredictedChange* const> out) {
    const std::size_t n = some.size();
    bool has_gains = false, has_losses = false;
    for (OneKind& kind : kinds_) {
      kind.sums.clear();
      std::fill(kind.losses.begin(), kind.losses.end(), 0.0F);
    }
    for (const WeightRuns::Run& run : runs_.runs()) {
      if (run.effect.is_control) {
        add_products(run, some, 1.0F, false, products_);
        add_losses(run.effect, some);
        has_losses = true;
      } else {
        add_products(run, some, run.effect.weight, has_gains, gains_);
        has_gains = true;
      }
      if (!run.ends_slice) continue;
      end_slice(some, has_gains, has_losses);
      has_gains = has_losses = false;
    }
    for (std::size_t k = 0; k < kinds_.size(); ++k)
      for (std::size_t r = 0; r < rows_.size(); ++r)
        for (std::size_t c = 0; c < n; ++c)
          out[k][r * cols_ + some.begin + c] = kinds_[k].sums.change(r * n + c);
  }

 private:
  struct OneKind {
    patch::FlipKind kind;
    std::vector<float> factors;  // (rows, all columns): by how much a flip changes the weight
    std::vector<float> losses;   // (rows, some columns)
    ChangeSums sums;
  };

  void add_losses(const ItemEffect& effect, IndexRange some) {
    const std::size_t n = some.size();
    for (OneKind& kind : kinds_)
      for (std::size_t r = 0; r < rows_.size(); ++r)
        table_.add_shortfalls(products_.data() + r * n,
                              kind.factors.data() + r * cols_ + some.begin, n, effect.slack,
                              effect.weight, kind.losses.data() + r * n);
  }
  void end_slice(IndexRange some, bool has_gains, bool has_losses) {
    const std::size_t n = some.size();
    for (OneKind& kind : kinds_) {
      for (std::size_t r = 0; r < rows_.size() && has_gains; ++r)
        kind.sums.add_gains(table_, r * n, n, gains_.data() + r * n,
                            kind.factors.data() + r * cols_ + some.begin);
      if (!has_losses) continue;
      kind.sums.add_losses(table_, 0, rows_.size() * n, kind.losses.data());
      std::fill(kind.losses.begin(), kind.losses.end(), 0.0F);
    }
  }

  // to (rows, some) = weight · Σ ȳ x over the run, added to what is there if `adds`.
  void add_products(const WeightRuns::Run& run, IndexRange some, float weight, bool adds,
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
  const WeightRuns& runs_;
  const TokenDigits& gradient_;
  const TokenDigits& input_;
  std::size_t cols_;
  IndexRange rows_;
  std::vector<float> products_, gains_;  // (rows, some columns)
  std::vector<OneKind> kinds_;
};

}  // namespace

void WeightRuns::clear() {
  runs_.clear();
  spans_.clear();
  num_spans_ = 0;
}

void WeightRuns::add_slice(std::span<const ItemTokens> items) {
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

void score_single_weights(model::Transformer& transformer, const model::WeightMatrix& matrix,
                          const model::RowOverlay& state, const WeightRuns& runs,
                          const TokenDigits& gradient, const TokenDigits& input,
                          std::span<const SingleFlips> flips, ChangeSink& sink) {
  const std::size_t rows = matrix.weights.rows;
  const std::size_t cols = matrix.weights.cols;
  constexpr std::size_t kRowsTogether = kTilesTogether * kTileRows;
  std::vector<std::vector<PredictedChange>> changes(  // by kind
      flips.size(), std::vector<PredictedChange>(std::min(rows, kRowsTogether) * cols));
  const int threads = transformer.options().threads;
  std::vector<Tile> tiles(static_cast<std::size_t>(std::max(threads, 1)),
                          Tile(transformer.table(), runs, gradient, input, flips, cols));
  for (std::size_t row = 0; row < rows; row += kRowsTogether) {
    const std::size_t count = std::min(kRowsTogether, rows - row);
    const std::size_t num_tiles = (count + kTileRows - 1) / kTileRows;
    model::parallel_for(threads, tiles.size(), [&](IndexRange range) {
      std::vector<PredictedChange*> out(flips.size());
      for (std::size_t worker = range.begin; worker < range.end; ++worker)
        for (std::size_t i = worker; i < num_tiles; i += tiles.size()) {
          const IndexRange some{i * kTileRows, std::min(count, (i + 1) * kTileRows)};
          tiles[worker].set_rows(matrix, state, {row + some.begin, row + some.end});
          for (std::size_t k = 0; k < flips.size(); ++k)
            out[k] = changes[k].data() + some.begin * cols;
          for (std::size_t col = 0; col < cols; col += kTileCols)
            tiles[worker].score({col, std::min(cols, col + kTileCols)}, out);
        }
    });
    for (std::size_t k = 0; k < flips.size(); ++k)
      sink.take(flips[k].first + row * cols, std::span(changes[k]).first(count * cols));
  }
}

}  // namespace bankai::bfs
