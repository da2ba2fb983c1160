// The panels of a matrix with an overlay's rows in place of its own: what a product needs that
// reads whole panels, or several rows together.
#pragma once

#include <vector>

#include "kernels/panels.h"
#include "model/row_overlay.h"

namespace bankai::model {

class PatchedPanels {
 public:
  // The matrix's own panels if the overlay replaces none of its rows, else a copy of all of them
  // with the replaced ones packed again. The matrix must outlive this. REQUIRES: the matrix has
  // panels.
  PatchedPanels(const WeightMatrix& matrix, const RowOverlay& overlay);

  const kernels::Panels& panels() const { return panels_; }

 private:
  kernels::Panels panels_;
  std::vector<kernels::PanelLine> lines_;  // of the copy
};

}  // namespace bankai::model
