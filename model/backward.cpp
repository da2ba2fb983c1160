#include "model/backward.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "core/check.h"
#include "model/half_layer_backward.h"
#include "model/parallel.h"
#include "model/residual_rows.h"

namespace bankai::model {
namespace {

constexpr std::size_t kLogitFloats = std::size_t{1} << 22U;  // logits held at a time (16 MiB)
constexpr std::size_t kMostLogitRows = 1024;

std::size_t half_layer_of(HalfLayerPlace place) { return 2 * place.layer + (place.is_ffn ? 1 : 0); }

// Whether segments without caches cover the tokens in order.
bool cover(std::span<const Segment> segments, std::size_t tokens) {
  std::size_t next = 0;
  for (const Segment& segment : segments) {
    if (segment.cache != nullptr || segment.past != 0 || segment.first_token != next) return false;
    next += segment.num_tokens;
  }
  return next == tokens;
}

void gather_rows(std::span<const std::size_t> rows, std::size_t width,
                 const std::vector<float>& from, std::vector<float>& to) {
  to.resize(rows.size() * width);
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::copy_n(from.data() + rows[i] * width, width, to.data() + i * width);
}

// What goes through a half-layer together.
struct Slice {
  std::vector<std::size_t> tokens;  // of the block
  std::vector<Segment> segments;    // first tokens count from the slice's first
  IndexRange scored;                // of the scored rows
};

std::vector<Slice> make_slices(std::span<const IndexRange> ranges,
                               std::span<const Segment> segments,
                               std::span<const std::size_t> scored_rows) {
  std::vector<Slice> slices;
  std::size_t segment = 0;
  std::size_t scored = 0;
  for (const IndexRange range : ranges) {
    Slice slice{std::vector<std::size_t>(range.size()), {}, {scored, scored}};
    std::iota(slice.tokens.begin(), slice.tokens.end(), range.begin);
    for (; segment < segments.size() && segments[segment].first_token < range.end; ++segment) {
      slice.segments.push_back(segments[segment]);
      slice.segments.back().first_token -= range.begin;
    }
    BANKAI_CHECK(cover(slice.segments, range.size()), "a slice cuts a segment");
    while (scored < scored_rows.size() && scored_rows[scored] < range.end) ++scored;
    slice.scored.end = scored;
    slices.push_back(std::move(slice));
  }
  return slices;
}

}  // namespace

void GradientVisitor::visit_ffn(std::size_t, const FfnGradients&) {}
void GradientVisitor::visit_attention(std::size_t, const AttentionGradients&) {}
void GradientVisitor::finish(HalfLayerPlace) {}

class BackwardPass::Impl {
 public:
  Impl(Transformer& transformer, std::size_t memory_limit, bool fine)
      : transformer_(transformer),
        width_(transformer.model().parameters().embedding),
        memory_limit_(memory_limit),
        rows_(transformer),
        half_layers_(transformer, fine) {}

  void run(std::span<const TokenId> tokens, std::span<const Segment> segments,
           std::span<const std::size_t> scored_rows, const LogitGradient& logit_gradient,
           HalfLayerPlace lowest, std::span<const Slice> slices, const BackwardBlock& block);

 private:
  // Residual rows (tokens, embedding) in front of a half-layer and behind it, and the gradient.
  struct Rows {
    std::vector<float> front, behind, gradient;
    ResidualSlice from(std::size_t first) {
      return {front.data() + first, behind.data() + first, gradient.data() + first};
    }
  };

  void last_ffn(IndexRange scored, std::span<const std::size_t> rows,
                const LogitGradient& logit_gradient, bool goes_on, const BackwardBlock& block);
  void half_layer(std::size_t at, const Slice& slice, bool goes_on, const BackwardBlock& block);
  void head(IndexRange scored, const LogitGradient& logit_gradient, const BackwardBlock& block);

  Transformer& transformer_;
  std::size_t width_;
  std::size_t memory_limit_;
  ResidualRows rows_;
  HalfLayerBackward half_layers_;
  Rows residual_;  // of the block
  Rows scored_;    // of a slice's scored rows, in the last feed-forward half
  FfnProjections ffn_;
  AttentionParts parts_;
  AttentionProjections projections_;
};

// scored_.gradient = that of the scored rows behind the last layer.
void BackwardPass::Impl::head(IndexRange scored, const LogitGradient& logit_gradient,
                              const BackwardBlock& block) {
  const Model& model = transformer_.model();
  const std::size_t vocabulary = model.parameters().vocabulary;
  const std::size_t piece = std::clamp<std::size_t>(kLogitFloats / vocabulary, 1, kMostLogitRows);
  std::vector<float> logits, gradients;  // their memory is needed below
  scored_.gradient.resize(scored.size() * width_);
  for (std::size_t first = 0; first < scored.size(); first += piece) {
    const std::size_t count = std::min(piece, scored.size() - first);
    const float* x = scored_.behind.data() + first * width_;
    float* gradient = scored_.gradient.data() + first * width_;
    logits.resize(count * vocabulary);
    gradients.assign(count * vocabulary, 0.0F);
    transformer_.logits(count, x, block.replacements, logits.data());
    parallel_for(transformer_.options().threads, count, [&](IndexRange range) {
      for (std::size_t i = range.begin; i < range.end; ++i)
        logit_gradient(scored.begin + first + i, {logits.data() + i * vocabulary, vocabulary},
                       {gradients.data() + i * vocabulary, vocabulary});
    });
    half_layers_.multiply(model.head(), block.overlay, count, gradients.data(), gradient);
    half_layers_.through_norm(count, x, model.output_norm(), gradient);
  }
}

// Everything above the last attention half, where only the scored rows matter: those of one slice.
// residual_.gradient = that of the rows behind that half.
void BackwardPass::Impl::last_ffn(IndexRange scored, std::span<const std::size_t> rows,
                                  const LogitGradient& logit_gradient, bool goes_on,
                                  const BackwardBlock& block) {
  const std::size_t layer = transformer_.model().parameters().num_layers - 1;
  gather_rows(rows, width_, residual_.front, scored_.front);
  scored_.behind = scored_.front;
  transformer_.project_ffn(layer, rows.size(), scored_.front.data(), block.replacements, ffn_);
  rows_.finish_ffn(layer, rows.size(), ffn_, block.replacements, scored_.behind.data());
  head(scored, logit_gradient, block);
  half_layers_.ffn(layer, rows, ffn_, block, goes_on, scored_.from(0));
  if (!goes_on) return;
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::copy_n(scored_.gradient.data() + i * width_, width_,
                residual_.gradient.data() + rows[i] * width_);
}

void BackwardPass::Impl::half_layer(std::size_t at, const Slice& slice, bool goes_on,
                                    const BackwardBlock& block) {
  const std::size_t first = slice.tokens.empty() ? 0 : slice.tokens.front();
  const IndexRange range{first, first + slice.tokens.size()};
  const ResidualSlice residual = residual_.from(first * width_);
  if (at % 2 == 0) {
    if (!rows_.attention(at, range, parts_)) {
      parts_.clear();
      append_attention(transformer_, at / 2, range.size(), residual.front, block.segments,
                       block.replacements, projections_, parts_);
    }
    half_layers_.attention(at / 2, slice.tokens, parts_, block, goes_on, residual);
    return;
  }
  if (!rows_.ffn(at, range, ffn_))
    transformer_.project_ffn(at / 2, slice.tokens.size(), residual.front, block.replacements, ffn_);
  half_layers_.ffn(at / 2, slice.tokens, ffn_, block, goes_on, residual);
}

void BackwardPass::Impl::run(std::span<const TokenId> tokens, std::span<const Segment> segments,
                             std::span<const std::size_t> scored_rows,
                             const LogitGradient& logit_gradient, HalfLayerPlace lowest,
                             std::span<const Slice> slices, const BackwardBlock& block) {
  const std::size_t last = half_layer_of(lowest);
  std::size_t at = 2 * transformer_.model().parameters().num_layers - 1;
  BANKAI_CHECK(last <= at, "a half-layer that the model does not have");
  std::size_t largest = 0;
  for (const Slice& slice : slices) largest = std::max(largest, slice.tokens.size());
  const std::size_t row_bytes = 3 * width_ * sizeof(float);
  const std::size_t arrays =
      largest * (half_layers_.bytes_per_token() + row_bytes) + tokens.size() * row_bytes;
  rows_.begin(tokens, segments, block.replacements, last, at,
              memory_limit_ - std::min(memory_limit_, arrays));
  const auto of_slice = [&](const Slice& slice) {
    return BackwardBlock{slice.segments, block.replacements, block.overlay, block.visitor};
  };
  rows_.load(at, residual_.front);
  if (at > last) residual_.gradient.assign(residual_.front.size(), 0.0F);
  for (const Slice& slice : slices)
    last_ffn(slice.scored, scored_rows.subspan(slice.scored.begin, slice.scored.size()),
             logit_gradient, at > last, of_slice(slice));
  block.visitor.finish({at / 2, true});
  while (at-- > last) {
    std::swap(residual_.front, residual_.behind);
    rows_.load(at, residual_.front);
    for (const Slice& slice : slices) half_layer(at, slice, at > last, of_slice(slice));
    block.visitor.finish({at / 2, at % 2 == 1});
  }
}

BackwardPass::BackwardPass(Transformer& transformer, std::size_t memory_limit,
                           BackwardOptions options)
    : impl_(std::make_unique<Impl>(transformer, memory_limit,
                                   options.fine.value_or(transformer.options().activations ==
                                                         kernels::ActivationMode::kA16))),
      threads_(transformer.options().threads) {}

BackwardPass::~BackwardPass() = default;

void BackwardPass::run(std::span<const TokenId> tokens, std::span<const Segment> segments,
                       const Replacements& replacements, std::span<const std::size_t> scored_rows,
                       const LogitGradient& logit_gradient, HalfLayerPlace lowest,
                       GradientVisitor& visitor, std::span<const IndexRange> slices) {
  BANKAI_CHECK(cover(segments, tokens.size()), "segments do not cover the block's tokens");
  BANKAI_CHECK(replacements.local.empty(), "rows that hold for a part of the block");
  const RowOverlay none;
  const RowOverlay& overlay = replacements.overlay != nullptr ? *replacements.overlay : none;
  const IndexRange whole{0, tokens.size()};
  const std::vector<Slice> made =
      make_slices(slices.empty() ? std::span(&whole, 1) : slices, segments, scored_rows);
  with_threads_at_hand(threads_, [&] {
    impl_->run(tokens, segments, scored_rows, logit_gradient, lowest, made,
               {segments, replacements, overlay, visitor});
  });
}

}  // namespace bankai::model
