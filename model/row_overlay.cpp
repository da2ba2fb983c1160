#include "model/row_overlay.h"

#include <algorithm>

namespace bankai::model {
namespace {

constexpr std::size_t kBlockBytes = 18;  // Q1_0: fp16 scale, then 16 bytes of bits
constexpr std::size_t kScaleBytes = 2;

}  // namespace

void RowOverlay::flip_row(const Model& model, TensorAddress address, std::size_t row) {
  const std::size_t groups = model.find_matrix(address)->weights.cols / kGroupCols;
  for (std::size_t group = 0; group < groups; ++group) flip_group(model, address, row, group);
}

void RowOverlay::flip_group(const Model& model, TensorAddress address, std::size_t row,
                            std::size_t group) {
  flip_bytes(model, address, row, group * kBlockBytes + kScaleBytes, kGroupBitBytes, 0xff);
}

void RowOverlay::flip_bit(const Model& model, TensorAddress address, std::size_t row,
                          std::size_t col) {
  const std::size_t byte = col / kGroupCols * kBlockBytes + kScaleBytes + col % kGroupCols / 8;
  flip_bytes(model, address, row, byte, 1, static_cast<std::uint8_t>(1U << (col % 8)));
}

void RowOverlay::flip_bytes(const Model& model, TensorAddress address, std::size_t row,
                            std::size_t first_byte, std::size_t num_bytes, std::uint8_t mask) {
  const WeightMatrix* matrix = model.find_matrix(address);
  BANKAI_CHECK(matrix != nullptr && matrix->weights.type == kernels::TensorType::kQ1_0 &&
                   row < matrix->weights.rows &&
                   first_byte + num_bytes <= matrix->weights.row_bytes,
               "a flip outside the one-bit weights of the model");
  const std::uint8_t* own = matrix->weights.data + row * matrix->weights.row_bytes;
  Rows& rows = tensors_[address];
  std::vector<std::uint8_t>& bytes =
      rows.try_emplace(row, own, own + matrix->weights.row_bytes).first->second;
  for (std::size_t i = first_byte; i < first_byte + num_bytes; ++i) bytes[i] ^= mask;
  if (!std::equal(bytes.begin(), bytes.end(), own)) return;
  rows.erase(row);
  if (rows.empty()) tensors_.erase(address);
}

void RowOverlay::replace_row(const Model& model, TensorAddress address, std::size_t row,
                             std::vector<std::uint8_t> bytes) {
  const WeightMatrix* matrix = model.find_matrix(address);
  BANKAI_CHECK(
      matrix != nullptr && row < matrix->weights.rows && bytes.size() == matrix->weights.row_bytes,
      "a replaced row that is not one of the model");
  const std::uint8_t* own = matrix->weights.data + row * matrix->weights.row_bytes;
  Rows& rows = tensors_[address];
  if (std::equal(bytes.begin(), bytes.end(), own))
    rows.erase(row);
  else
    rows[row] = std::move(bytes);
  if (rows.empty()) tensors_.erase(address);
}

const RowOverlay::Rows* RowOverlay::find(TensorAddress address) const {
  const auto found = tensors_.find(address);
  return found == tensors_.end() ? nullptr : &found->second;
}

const std::uint8_t* RowOverlay::find_row(TensorAddress address, std::size_t row) const {
  const Rows* rows = find(address);
  if (rows == nullptr) return nullptr;
  const auto found = rows->find(row);
  return found == rows->end() ? nullptr : found->second.data();
}

}  // namespace bankai::model
