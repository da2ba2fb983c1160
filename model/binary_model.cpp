#include "model/binary_model.h"

#include "kernels/bit_panels.h"

namespace bankai::model {

std::vector<std::uint64_t> to_panels(const BinaryMatrix& matrix) {
  std::vector<std::uint64_t> panels(kernels::bit_panels_words(matrix.rows, matrix.cols));
  kernels::pack_bit_panels(matrix.bits.data(), matrix.rows, matrix.cols, panels.data());
  return panels;
}

void raise_thresholds(BinaryModel& model) {
  for (BinaryLayer& layer : model.layers)
    for_each_linear(model.shape, layer,
                    [](const char*, BinaryLinear& linear, std::size_t, std::size_t) {
                      for (std::int32_t& threshold : linear.thresholds)
                        if (threshold < INT32_MAX) ++threshold;  // no sum is as large
                    });
}

}  // namespace bankai::model
