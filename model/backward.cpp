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

constexpr std::size_t kLogitFloats = std::size_t{1} << 23U;  // logits held at a time (32 MiB)
constexpr std::size_t kMostLogitRows = 1024;

std::size_t half_layer_of(HalfLayerPlace place) { return 2 * place.layer + (place.is_ffn ? 1 : 0); }

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

}  // namespace

void GradientVisitor::visit_ffn(std::size_t, const FfnGradients&) {}
void GradientVisitor::visit_attention(std::size_t, const AttentionGradients&) {}

class BackwardPass::Impl {
 public:
  Impl(Transformer& transformer, std::size_t memory_limit, bool fine)
      : transformer_(transformer),
        width_(transformer.model().parameters().embedding),
        memory_limit_(memory_limit),
        rows_(transformer),
        half_layers_(transformer, fine) {}

  void run(std::span<const TokenId> tokens, std::span<const std::size_t> scored_rows,
           const LogitGradient& logit_gradient, HalfLayerPlace lowest, const BackwardBlock& block);

 private:
  void last_ffn(std::span<const std::size_t> scored_rows, const LogitGradient& logit_gradient,
                bool goes_on, const BackwardBlock& block);
  void ffn(std::size_t half_layer, std::span<const std::size_t> tokens, bool goes_on,
           const BackwardBlock& block);
  void head(std::size_t rows, const LogitGradient& logit_gradient, const BackwardBlock& block);

  Transformer& transformer_;
  std::size_t width_;
  std::size_t memory_limit_;
  ResidualRows rows_;
  HalfLayerBackward half_layers_;
  ResidualGradient residual_;  // of the block
  ResidualGradient scored_;    // of the scored rows, in the last feed-forward half
  FfnProjections ffn_;
};

// scored_.gradient = that of the scored rows behind the last layer.
void BackwardPass::Impl::head(std::size_t rows, const LogitGradient& logit_gradient,
                              const BackwardBlock& block) {
  const Model& model = transformer_.model();
  const std::size_t vocabulary = model.parameters().vocabulary;
  const std::size_t piece = std::clamp<std::size_t>(kLogitFloats / vocabulary, 1, kMostLogitRows);
  std::vector<float> logits, gradients;  // their memory is needed below
  scored_.gradient.resize(rows * width_);
  for (std::size_t first = 0; first < rows; first += piece) {
    const std::size_t count = std::min(piece, rows - first);
    const float* x = scored_.behind.data() + first * width_;
    float* gradient = scored_.gradient.data() + first * width_;
    logits.resize(count * vocabulary);
    gradients.assign(count * vocabulary, 0.0F);
    transformer_.logits(count, x, block.replacements, logits.data());
    parallel_for(transformer_.options().threads, count, [&](IndexRange range) {
      for (std::size_t i = range.begin; i < range.end; ++i)
        logit_gradient(first + i, {logits.data() + i * vocabulary, vocabulary},
                       {gradients.data() + i * vocabulary, vocabulary});
    });
    half_layers_.multiply(model.head(), block.overlay, count, gradients.data(), gradient);
    half_layers_.through_norm(count, x, model.output_norm(), gradient);
  }
}

// Everything above the last attention half, where only the scored rows matter. residual_.gradient
// = that of the rows behind that half.
void BackwardPass::Impl::last_ffn(std::span<const std::size_t> scored_rows,
                                  const LogitGradient& logit_gradient, bool goes_on,
                                  const BackwardBlock& block) {
  const std::size_t layer = transformer_.model().parameters().num_layers - 1;
  gather_rows(scored_rows, width_, residual_.front, scored_.front);
  scored_.behind = scored_.front;
  transformer_.project_ffn(layer, scored_rows.size(), scored_.front.data(), block.replacements,
                           ffn_);
  rows_.finish_ffn(layer, scored_rows.size(), ffn_, block.replacements, scored_.behind.data());
  head(scored_rows.size(), logit_gradient, block);
  half_layers_.ffn(layer, scored_rows, ffn_, block, goes_on, scored_);
  if (!goes_on) return;
  residual_.gradient.assign(residual_.front.size(), 0.0F);
  for (std::size_t i = 0; i < scored_rows.size(); ++i)
    std::copy_n(scored_.gradient.data() + i * width_, width_,
                residual_.gradient.data() + scored_rows[i] * width_);
}

void BackwardPass::Impl::ffn(std::size_t half_layer, std::span<const std::size_t> tokens,
                             bool goes_on, const BackwardBlock& block) {
  const FfnProjections* projections = rows_.ffn(half_layer);
  if (projections == nullptr) {
    transformer_.project_ffn(half_layer / 2, tokens.size(), residual_.front.data(),
                             block.replacements, ffn_);
    projections = &ffn_;
  }
  half_layers_.ffn(half_layer / 2, tokens, *projections, block, goes_on, residual_);
}

void BackwardPass::Impl::run(std::span<const TokenId> tokens,
                             std::span<const std::size_t> scored_rows,
                             const LogitGradient& logit_gradient, HalfLayerPlace lowest,
                             const BackwardBlock& block) {
  const std::size_t last = half_layer_of(lowest);
  std::size_t at = 2 * transformer_.model().parameters().num_layers - 1;
  BANKAI_CHECK(last <= at, "a half-layer that the model does not have");
  std::vector<std::size_t> all(tokens.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const std::size_t arrays = tokens.size() * half_layers_.bytes_per_token() +
                             3 * scored_rows.size() * width_ * sizeof(float);
  rows_.begin(tokens, block.segments, block.replacements, last, at,
              memory_limit_ - std::min(memory_limit_, arrays));
  rows_.load(at, residual_.front);
  last_ffn(scored_rows, logit_gradient, at > last, block);
  while (at-- > last) {
    std::swap(residual_.front, residual_.behind);
    rows_.load(at, residual_.front);
    if (at % 2 == 0)
      half_layers_.attention(at / 2, all, block, at > last, residual_);
    else
      ffn(at, all, at > last, block);
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
                       GradientVisitor& visitor) {
  BANKAI_CHECK(cover(segments, tokens.size()), "segments do not cover the block's tokens");
  BANKAI_CHECK(replacements.local.empty(), "rows that hold for a part of the block");
  const RowOverlay none;
  const RowOverlay& overlay = replacements.overlay != nullptr ? *replacements.overlay : none;
  with_threads_at_hand(threads_, [&] {
    impl_->run(tokens, scored_rows, logit_gradient, lowest,
               {segments, replacements, overlay, visitor});
  });
}

}  // namespace bankai::model
