#include "model/trit_tensor.h"

#include "kernels/ternary_blocks.h"
#include "model/tensor_names.h"

namespace bankai::model {

std::optional<TritMatrixView> trit_matrix(const GgufTensor& tensor) {
  const TritLayout* layout = kernels::find_trit_layout(tensor.type);
  if (layout == nullptr || tensor.cols() % kGroupCols != 0) return std::nullopt;
  const std::size_t trailer = kernels::tensor_type_info(tensor.type).trailer_bytes;
  const std::byte* scale =
      layout->has_scale() ? nullptr : tensor.data.data() + tensor.data.size() - trailer;
  return TritMatrixView(*layout, tensor.data.data(), tensor.rows(), tensor.cols(), scale);
}

std::optional<TritMatrixView> trit_matrix(const Model& model, TensorAddress address) {
  const WeightMatrix* matrix = model.find_matrix(address);
  const GgufTensor* tensor = model.file().find_tensor(gguf_tensor_name(address));
  if (matrix == nullptr || tensor == nullptr) return std::nullopt;
  const std::optional<TritMatrixView> in_file = trit_matrix(*tensor);
  if (!in_file) return std::nullopt;
  return TritMatrixView(in_file->layout(), reinterpret_cast<const std::byte*>(matrix->weights.data),
                        in_file->rows(), in_file->cols(), in_file->matrix_scale());
}

}  // namespace bankai::model
