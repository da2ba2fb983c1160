// First-order changes by rows and groups: each flip takes twice a known share away from the outputs
// of its row.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bfs/change_sums.h"
#include "bfs/item_tokens.h"
#include "kernels/matmul.h"
#include "kernels/panels.h"
#include "model/transformer.h"

namespace bankai::bfs {

// How an item's score depends on the outputs of a projection, for all tokens of a slice: arrays are
// (tokens, rows).
struct OutputEffects {
  std::size_t rows = 0;
  // Gate: outputs g and the activation a(g); a change δ of g counts as factors · (a(g + δ) − a(g)).
  // Elsewhere nullptr: it counts as factors · δ.
  const float* gate = nullptr;
  const float* before = nullptr;
  const float* factors = nullptr;
};

// Adds what the flips of all rows mean for the items of a slice. values (tokens, rows): what the
// flip of a row negates.
void add_row_changes(model::Transformer& transformer, const OutputEffects& effects,
                     const float* values, std::span<const ItemTokens> items, ChangeSums& sums);

// The column groups of a matrix, each as panels of its own, and the scale of all its weights.
class GroupSlices {
 public:
  GroupSlices(const kernels::Panels& panels, float scale);
  std::size_t size() const { return slices_.size(); }
  float scale() const { return scale_; }
  const kernels::Panels& operator[](std::size_t group) const { return slices_[group]; }

 private:
  std::vector<std::vector<kernels::PanelLine>> lines_;
  std::vector<kernels::Panels> slices_;
  float scale_;
};

// The same for all groups of all rows; sums are by group, then by row. input: what the matrix is
// multiplied with.
void add_group_changes(model::Transformer& transformer, const OutputEffects& effects,
                       const GroupSlices& groups, const kernels::ActivationBlock& input,
                       std::span<const ItemTokens> items, ChangeSums& sums);

}  // namespace bankai::bfs
