#include "model/patched_panels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/model/forward_checks.h"
#include "tests/support/small_model.h"

namespace bankai::model {
namespace {

TEST(PatchedPanels, AreThoseOfTheFlippedRows) {
  const auto model = bankai::testing::make_small_model({});
  const WeightMatrix& matrix = model->head();
  RowOverlay overlay;
  EXPECT_EQ(PatchedPanels(matrix, overlay).panels().lines, matrix.panels.lines);
  for (const std::size_t row : {0U, 31U, 32U, 33U, 298U}) {
    overlay.flip_group(*model, matrix.address, row, 0);
    // The product with a unit vector reads a row of weights.
    const PatchedPanels patched(matrix, overlay);
    for (std::size_t at = 0; at < matrix.weights.rows; ++at) {
      kernels::WeightRows one = matrix.weights.slice(at, 1);
      if (const std::uint8_t* bytes = overlay.find_row(matrix.address, at)) one.data = bytes;
      std::vector<float> expected(one.cols);
      kernels::widen_row(one, 0, expected.data());
      std::vector<float> unit(matrix.weights.rows);
      unit[at] = 1.0F;
      std::vector<float> out(one.cols);
      best_kernels().gemm_transposed(patched.panels(), 0, 1, unit.data(), 1, unit.size(), true,
                                     out.data(), out.size());
      for (std::size_t i = 0; i < out.size(); ++i)
        ASSERT_EQ(std::signbit(out[i]), std::signbit(expected[i])) << "row " << at;
    }
  }
}

}  // namespace
}  // namespace bankai::model
