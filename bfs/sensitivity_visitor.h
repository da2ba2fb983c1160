// First-order changes of an objective for every candidate of a half-layer, from its gradients.
//
// A flip changes the outputs y of one row by δ: −2y for a row, −2 × the group's share of the sum
// for a group, −2 · w · x for a bit. The change of an item's score is the sum over its tokens of
//   dL/dh · (h(y + δ) − h(y))     for gate rows and groups, h the hidden unit: exact up to there
//   dL/dy · δ                     elsewhere; where up feeds h it is linear, so this is the same
// and for rows of q and k the same with the normed values, of which a negated row negates one.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "bfs/change_sink.h"
#include "bfs/item_blocks.h"
#include "model/backward.h"

namespace bankai::bfs {

class SensitivityVisitor final : public model::GradientVisitor {
 public:
  // Changes of the candidates of tensors [tensors.begin, tensors.end) of the space, on top of
  // `state`, go to `sink`. References must outlive this.
  SensitivityVisitor(model::Transformer& transformer, const CandidateSpace& space,
                     IndexRange tensors, const model::RowOverlay& state,
                     std::span<const ItemEffect> effects, const ItemBlock& block, ChangeSink& sink);

  void visit_ffn(std::size_t layer, const model::FfnGradients& gradients) override;
  void visit_attention(std::size_t layer, const model::AttentionGradients& gradients) override;

 private:
  struct ItemTokens {
    ItemEffect effect;
    IndexRange tokens;  // of the gradients' arrays
  };
  // A projection, and what its rows act on.
  struct Source {
    Projection projection;
    const model::ProjectionGradient* arrays = nullptr;
    // Rows of q and k: normed values (tokens, rows), and the gradient there.
    const float* row_values = nullptr;
    const float* row_gradient = nullptr;
    // Gate: what its activation is multiplied with, and the gradient of the product.
    const float* up = nullptr;
    const float* hidden_gradient = nullptr;
  };
  // (tokens, rows) values v and the gradient g such that −2 · v · g is a linear change.
  struct Shares {
    const float* values = nullptr;
    const float* gradient = nullptr;
  };

  std::vector<ItemTokens> linear_items() const;
  void locate_items(std::span<const std::size_t> tokens);
  void visit(std::size_t layer, const Source& source);
  // changes[row · stride] of candidates that change row `row` of the source by −2 × its shares.
  void score_rows(const Source& source, const Shares& shares, std::size_t rows,
                  PredictedChange* changes, std::size_t stride) const;
  void add_row_changes(const Source& source, const Shares& shares, std::size_t rows,
                       IndexRange some, std::size_t token, std::span<float> s) const;
  void score_groups(std::size_t tensor, const Source& source);
  void score_bits(std::size_t tensor, const Source& source);

  model::Transformer& transformer_;
  const CandidateSpace& space_;
  IndexRange tensors_;
  const model::RowOverlay& state_;
  std::span<const ItemEffect> effects_;
  const ItemBlock& block_;
  ChangeSink& sink_;
  std::vector<ItemTokens> items_;
};

}  // namespace bankai::bfs
