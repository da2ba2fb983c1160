#include "model/weight_binder.h"

#include <cmath>
#include <cstring>

#include "core/bit_matrix.h"
#include "core/format.h"
#include "model/tensor_names.h"

namespace bankai::model {
namespace {

using kernels::TensorType;

std::string shape_text(const GgufTensor& tensor) {
  std::string text = "[";
  for (std::size_t i = 0; i < tensor.dims.size(); ++i)
    text += (i > 0 ? " × " : "") + std::to_string(tensor.dims[i]);
  return text + "]";
}

// Where a matrix lies in the file: a tensor of its own, or some rows of a fused one.
struct TensorRows {
  const GgufTensor* tensor = nullptr;
  std::size_t first_row = 0;
  std::size_t tensor_rows = 0;  // rows that the whole tensor must have
};

// q, k and v may be stored as one fused tensor, in that order.
TensorRows locate(const GgufFile& file, const Hyperparameters& h, TensorAddress address,
                  std::size_t rows) {
  const TensorRows own{file.find_tensor(gguf_tensor_name(address)), 0, rows};
  const bool fusible = address.projection == Projection::kQuery ||
                       address.projection == Projection::kKey ||
                       address.projection == Projection::kValue;
  if (own.tensor != nullptr || !fusible) return own;
  std::size_t first = 0;
  if (address.projection == Projection::kKey) first = h.query_dim();
  if (address.projection == Projection::kValue) first = h.query_dim() + h.kv_dim();
  const std::string fused = "blk." + std::to_string(address.layer) + ".attn_qkv.weight";
  return {file.find_tensor(fused), first, h.query_dim() + 2 * h.kv_dim()};
}

const std::uint8_t* bytes_of(const GgufTensor& tensor) {
  return reinterpret_cast<const std::uint8_t*>(tensor.data.data());
}

// "blk.0.attn_q.weight" → "blk.0.attn_q.scale".
std::string scale_name(std::string_view name) {
  constexpr std::string_view kWeight = ".weight";
  if (name.ends_with(kWeight)) name.remove_suffix(kWeight.size());
  return std::string(name) + ".scale";
}

}  // namespace

Result<WeightMatrix> WeightBinder::matrix(TensorAddress address, std::size_t rows,
                                          std::size_t cols) {
  const auto [tensor, first_row, tensor_rows] = locate(file_, parameters_, address, rows);
  const std::string name = gguf_tensor_name(address);
  if (tensor == nullptr)
    return make_error(ErrorCode::kBadInput, "%s: tensor '%s' is missing", file_.path().c_str(),
                      name.c_str());
  if (tensor->rows() != tensor_rows || tensor->cols() != cols || tensor->dims.size() > 2)
    return make_error(ErrorCode::kBadInput, "%s: tensor '%s' has shape %s, expected [%zu × %zu]",
                      file_.path().c_str(), name.c_str(), shape_text(*tensor).c_str(), cols,
                      tensor_rows);
  if (cols % kGroupCols != 0)
    return make_error(ErrorCode::kUnsupported,
                      "%s: tensor '%s' has %zu inputs, which is no multiple of %zu",
                      file_.path().c_str(), name.c_str(), cols, kGroupCols);
  WeightMatrix matrix;
  matrix.address = address;
  BANKAI_ASSIGN_OR_RETURN(matrix.scale, scale(*tensor));
  BANKAI_ASSIGN_OR_RETURN(const std::uint8_t* const bytes, data(*tensor));
  const kernels::TensorTypeInfo& type = kernels::tensor_type_info(tensor->type);
  const std::size_t row_bytes = cols / type.block_weights * type.block_bytes;
  matrix.weights = {tensor->type, bytes + first_row * row_bytes, rows, cols, row_bytes};
  return matrix;
}

Result<std::vector<float>> WeightBinder::vector(const std::string& name, std::size_t size) const {
  const GgufTensor* tensor = file_.find_tensor(name);
  if (tensor == nullptr)
    return make_error(ErrorCode::kBadInput, "%s: tensor '%s' is missing", file_.path().c_str(),
                      name.c_str());
  const kernels::TensorTypeInfo& type = kernels::tensor_type_info(tensor->type);
  if (type.block_weights != 1 || tensor->rows() != 1 || tensor->cols() != size)
    return make_error(
        ErrorCode::kBadInput, "%s: tensor '%s' is %s %s, expected a float vector of %zu",
        file_.path().c_str(), name.c_str(), type.name.data(), shape_text(*tensor).c_str(), size);
  std::vector<float> values(size);
  kernels::widen_row({tensor->type, bytes_of(*tensor), 1, size, tensor->data.size()}, 0,
                     values.data());
  return values;
}

Result<float> WeightBinder::scale(const GgufTensor& tensor) const {
  float scale = 1.0F;
  if (tensor.type == TensorType::kI2_S) {
    const std::size_t trailer = kernels::tensor_type_info(tensor.type).trailer_bytes;
    std::memcpy(&scale, bytes_of(tensor) + tensor.data.size() - trailer, sizeof scale);
  }
  if (const std::string name = scale_name(tensor.name); file_.find_tensor(name) != nullptr) {
    BANKAI_ASSIGN_OR_RETURN(const std::vector<float> factor, vector(name, 1));
    scale *= factor[0];
  }
  if (!std::isfinite(scale))
    return make_error(ErrorCode::kBadInput, "%s: tensor %s has the scale %g, expected a number",
                      file_.path().c_str(), quoted(tensor.name).c_str(),
                      static_cast<double>(scale));
  return scale;
}

// The rows of a tensor in the layout that the kernels read.
Result<const std::uint8_t*> WeightBinder::data(const GgufTensor& tensor) {
  if (tensor.type != TensorType::kI2_S) return bytes_of(tensor);
  if (!i2s_layout_.has_value()) warn_of_i2_s();
  const kernels::I2sLayoutInfo& info =
      kernels::i2s_layout_info(i2s_layout_.value_or(kernels::I2sLayout::kRuns128));
  if (info.layout == kernels::I2sLayout::kRuns128) return bytes_of(tensor);
  if (tensor.rows() % info.rows_at_once != 0)
    return make_error(ErrorCode::kBadInput,
                      "%s: tensor %s has %zu rows, expected a multiple of %zu in the I2_S layout "
                      "%s",
                      file_.path().c_str(), quoted(tensor.name).c_str(), tensor.rows(),
                      info.rows_at_once, std::string(info.name).c_str());
  const auto [entry, is_new] = rearranged_.try_emplace(tensor.name);
  if (is_new) {
    entry->second.resize(tensor.rows() * tensor.cols() / 4);
    kernels::rearrange_i2_s(info.layout, bytes_of(tensor), tensor.rows(), tensor.cols(),
                            entry->second.data());
  }
  return entry->second.data();
}

void WeightBinder::warn_of_i2_s() {
  if (!warnings_.empty()) return;
  warnings_.push_back(file_.path() + ": nothing in the file says which of the I2_S layouts (" +
                      kernels::i2s_layout_names() + ") it uses; read as " +
                      std::string(kernels::kI2sLayouts[0].name) +
                      ". If it answers with noise, choose another one.");
}

}  // namespace bankai::model
