// First-order changes of an objective for every candidate of a half-layer, from its gradients.
//
// A flip changes the outputs y of one row by δ: −2y for a row, −2 × the group's share of the sum
// for a group, −2 · w · x for a bit, (new − old) · x for a step. The change of an item's score is
// the sum over its tokens of
//   dL/dh · (h(y + δ) − h(y))     for gate rows and groups, h the hidden unit: exact up to there
//   dL/dy · δ                     elsewhere; where up feeds h it is linear, so this is the same
// and for rows of q and k the same with the normed values, of which a negated row negates one.
// Shares of groups and the products behind single weights are computed from 8-bit activations,
// those also from 8-bit gradients.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bfs/change_sink.h"
#include "bfs/item_blocks.h"
#include "bfs/share_changes.h"
#include "bfs/single_changes.h"
#include "model/backward.h"
#include "model/patched_panels.h"

namespace bankai::bfs {

class SensitivityVisitor final : public model::GradientVisitor {
 public:
  // Changes of the candidates of tensors [tensors.begin, tensors.end) of the space, on top of
  // `state`, go to `sink`. The gradients come in the block's slices. References must outlive this.
  SensitivityVisitor(model::Transformer& transformer, const CandidateSpace& space,
                     IndexRange tensors, const model::RowOverlay& state,
                     std::span<const ItemEffect> effects, const ItemBlock& block, ChangeSink& sink);

  void visit_ffn(std::size_t layer, const model::FfnGradients& gradients) override;
  void visit_attention(std::size_t layer, const model::AttentionGradients& gradients) override;
  void finish(model::HalfLayerPlace place) override;

 private:
  // What several projections of a half-layer act on.
  struct Input {
    const kernels::ActivationBlock* block = nullptr;  // of the slice
    kernels::ActivationBlock coarse;                  // the same in 8 bits
    std::optional<TokenDigits> digits;                // of all slices so far
    bool has_coarse = false, has_digits = false;      // of this slice
  };
  // A projection, and what its rows act on.
  struct Source {
    Projection projection;
    const model::ProjectionGradient* arrays = nullptr;
    Input* input = nullptr;
    // Rows of q and k: normed values (tokens, rows), and the gradient there.
    const float* row_values = nullptr;
    const float* row_gradient = nullptr;
    // Gate: its activation, and what a change of it is multiplied with.
    const float* before = nullptr;
    const float* factors = nullptr;
  };
  // A tensor of the half-layer that is being visited, with the sums over its slices so far.
  struct Tensor {
    std::size_t index = 0;  // of the space
    const model::WeightMatrix* matrix = nullptr;
    std::optional<ChangeSums> rows, groups;  // by row; by group, then by row
    std::optional<model::PatchedPanels> panels;
    std::optional<GroupSlices> slices;
    std::vector<SingleFlips> singles;
    TokenDigits* gradient = nullptr;  // one of gradients_, for these
    const Input* input = nullptr;
  };

  std::optional<std::size_t> find_tensor(std::size_t layer, Projection projection) const;
  void begin_slice(std::span<const std::size_t> tokens, const kernels::ActivationBlock& outer,
                   const kernels::ActivationBlock& inner);
  Tensor& tensor_at(std::size_t index);
  const kernels::ActivationBlock& coarse(Input& input) const;
  void add_digits(const Source& source, Tensor& tensor);
  void visit(std::size_t layer, const Source& source);
  void emit(const Tensor& tensor) const;

  model::Transformer& transformer_;
  const CandidateSpace& space_;
  IndexRange tensors_;
  const model::RowOverlay& state_;
  std::span<const ItemEffect> effects_;
  const ItemBlock& block_;
  ChangeSink& sink_;
  std::vector<ItemTokens> items_;  // of the slice
  WeightRuns runs_;
  std::map<Projection, TokenDigits> gradients_;  // whose single weights are candidates
  Input outer_, inner_;  // what the half-layer reads, and what its last product reads
  std::map<std::size_t, Tensor> visited_;  // of the half-layer, by index
  std::vector<float> before_, factors_;    // of the gate
  std::vector<float> x_;                   // an input as floats
};

}  // namespace bankai::bfs
