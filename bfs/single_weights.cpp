#include "bfs/single_weights.h"

#include "kernels/half.h"
#include "kernels/ternary_blocks.h"

namespace bankai::bfs {
namespace {

using patch::FlipKind;

// By code: (new − old), 0 for code 3, which is no trit.
constexpr int kUpBy[] = {1, 1, -2, 0};
constexpr int kDownBy[] = {2, -1, -1, 0};

int change_of(FlipKind step, std::uint8_t code) {
  return step == FlipKind::kStepUp ? kUpBy[code] : kDownBy[code];
}

bool leads_to_neighbour(FlipKind step, std::uint8_t code) {
  return change_of(step, code) == (step == FlipKind::kStepUp ? 1 : -1);
}

// Calls visit(first column, codes, scale) for the blocks of columns [first, last) of a packed row.
template <typename Visit>
void visit_blocks(const kernels::WeightRows& weights, const std::uint8_t* row, std::size_t first,
                  std::size_t last, Visit visit) {
  const kernels::TensorTypeInfo& info = kernels::tensor_type_info(weights.type);
  std::uint8_t codes[kernels::kMaxTernaryBlock];
  for (std::size_t i = first / info.block_weights; i * info.block_weights < last; ++i) {
    const std::uint8_t* block = row + i * info.block_bytes;
    kernels::decode_ternary_block(weights.type, block, codes);
    visit(i * info.block_weights, codes,
          kernels::f16_to_float(kernels::ternary_block_scale(weights.type, block)));
  }
}

}  // namespace

const std::uint8_t* row_bytes(const model::WeightMatrix& matrix, const model::RowOverlay& state,
                              std::size_t row) {
  const std::uint8_t* replaced = state.find_row(matrix.address, row);
  return replaced != nullptr ? replaced : matrix.weights.data + row * matrix.weights.row_bytes;
}

void weight_changes(const model::WeightMatrix& matrix, const std::uint8_t* row, FlipKind kind,
                    float* changes) {
  const std::size_t cols = matrix.weights.cols;
  if (kind == FlipKind::kBit) {
    kernels::WeightRows one = matrix.weights.slice(0, 1);
    one.data = row;
    kernels::widen_row(one, 0, changes);
    for (std::size_t i = 0; i < cols; ++i) changes[i] *= -2.0F * matrix.scale;
    return;
  }
  const std::size_t block_cols = kernels::tensor_type_info(matrix.weights.type).block_weights;
  visit_blocks(matrix.weights, row, 0, cols,
               [&](std::size_t first, const std::uint8_t* codes, float scale) {
                 for (std::size_t i = 0; i < block_cols; ++i)
                   changes[first + i] =
                       static_cast<float>(change_of(kind, codes[i])) * (scale * matrix.scale);
               });
}

bool is_legal(const model::Model& model, const model::RowOverlay& state, const patch::Flip& flip) {
  if (!patch::is_step(flip.kind)) return true;
  const model::WeightMatrix& matrix = *model.find_matrix(flip.tensor);
  bool result = false;
  visit_blocks(matrix.weights, row_bytes(matrix, state, flip.row), flip.index, flip.index + 1,
               [&](std::size_t first, const std::uint8_t* codes, float) {
                 result = leads_to_neighbour(flip.kind, codes[flip.index - first]);
               });
  return result;
}

std::vector<std::uint8_t> legal_steps(const model::Model& model, const model::RowOverlay& state,
                                      TensorAddress tensor, std::size_t row, FlipKind kind) {
  const model::WeightMatrix& matrix = *model.find_matrix(tensor);
  const std::size_t block_cols = kernels::tensor_type_info(matrix.weights.type).block_weights;
  std::vector<std::uint8_t> legal(matrix.weights.cols);
  visit_blocks(matrix.weights, row_bytes(matrix, state, row), 0, legal.size(),
               [&](std::size_t first, const std::uint8_t* codes, float) {
                 for (std::size_t i = 0; i < block_cols; ++i)
                   legal[first + i] = leads_to_neighbour(kind, codes[i]) ? 1 : 0;
               });
  return legal;
}

}  // namespace bankai::bfs
