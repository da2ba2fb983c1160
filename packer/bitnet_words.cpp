#include "packer/bitnet_words.h"

#include <cmath>
#include <vector>

#include "core/format.h"

namespace bankai::packer {
namespace {

using model::SafetensorsTensor;
using model::SafetensorsType;

constexpr std::size_t kWeightsPerByte = 4;

Result<float> read_scale(const model::SafetensorsSet& set, const std::string& name,
                         BitnetScale use) {
  const SafetensorsTensor* tensor = set.find(name);
  if (tensor == nullptr)
    return make_error(ErrorCode::kBadInput, "tensor %s is missing", bankai::quoted(name).c_str());
  const model::SafetensorsTypeInfo& type = model::safetensors_type_info(tensor->type);
  if (!type.is_float || tensor->data.size() != type.bytes)
    return make_error(ErrorCode::kBadInput, "tensor %s holds %zu bytes of %s, expected one float",
                      bankai::quoted(name).c_str(), tensor->data.size(), type.name.data());
  float value = 0.0F;
  model::widen_elements(tensor->type, tensor->data.data(), 1, &value);
  const float scale = use == BitnetScale::kDivides ? 1.0F / value : value;
  if (!(scale > 0.0F) || !std::isfinite(scale))
    return make_error(ErrorCode::kBadInput, "tensor %s is %g, expected a positive number",
                      bankai::quoted(name).c_str(), static_cast<double>(value));
  return scale;
}

}  // namespace

Result<std::optional<BitnetMatrix>> BitnetMatrix::find(const model::SafetensorsSet& set,
                                                       const std::string& name, std::size_t rows,
                                                       std::size_t cols, BitnetScale use) {
  const SafetensorsTensor* codes = set.find(name + ".weight");
  if (codes == nullptr || codes->type != SafetensorsType::kU8) return std::optional<BitnetMatrix>();
  const std::size_t packed_rows = (rows + kWeightsPerByte - 1) / kWeightsPerByte;
  if (codes->shape != std::vector<std::uint64_t>{packed_rows, cols})
    return make_error(ErrorCode::kBadInput,
                      "tensor %s: expected U8 of %zu × %zu, four weights in each",
                      bankai::quoted(codes->name).c_str(), packed_rows, cols);
  BitnetMatrix matrix;
  matrix.codes_ = codes;
  matrix.rows_ = rows;
  matrix.cols_ = cols;
  BANKAI_ASSIGN_OR_RETURN(matrix.scale_, read_scale(set, name + ".weight_scale", use));
  BANKAI_RETURN_IF_ERROR(matrix.check_codes());
  return std::optional<BitnetMatrix>(matrix);
}

// Two bits hold four codes, and three are weights.
Status BitnetMatrix::check_codes() const {
  for (std::size_t i = 0; i < codes_->data.size(); ++i) {
    const auto byte = std::to_integer<unsigned>(codes_->data[i]);
    if ((byte & byte >> 1U & 0x55U) != 0)
      return make_error(ErrorCode::kBadInput,
                        "tensor %s: the byte 0x%02x in row %zu, column %zu holds the code 3, which "
                        "is no ternary weight",
                        bankai::quoted(codes_->name).c_str(), byte, i / cols_, i % cols_);
  }
  return {};
}

std::uint64_t BitnetMatrix::bytes() const { return codes_->data.size(); }

void BitnetMatrix::widen(std::size_t row, float factor, float* out) const {
  const std::size_t packed_rows = (rows_ + kWeightsPerByte - 1) / kWeightsPerByte;
  const std::byte* bytes = codes_->data.data() + row % packed_rows * cols_;
  const std::size_t shift = 2 * (row / packed_rows);
  for (std::size_t col = 0; col < cols_; ++col) {
    const unsigned code = std::to_integer<unsigned>(bytes[col]) >> shift & 3U;
    out[col] = factor * (static_cast<float>(code) - 1.0F);
  }
}

}  // namespace bankai::packer
