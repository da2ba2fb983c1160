#include "packer/weight_exchange.h"

#include <charconv>
#include <functional>
#include <string_view>

#include "core/check.h"
#include "core/format.h"

namespace bankai::packer {
namespace {

bool is_token_table(TensorAddress address) {
  return address.projection == Projection::kEmbedding || address.projection == Projection::kHead;
}

kernels::WeightRows rows_of_tensor(const model::GgufTensor& tensor) {
  const kernels::TensorTypeInfo& info = kernels::tensor_type_info(tensor.type);
  return {tensor.type, reinterpret_cast<const std::uint8_t*>(tensor.data.data()), tensor.rows(),
          tensor.cols(), tensor.cols() / info.block_weights * info.block_bytes};
}

// 3 of "blk.3.attn_norm.weight"; `otherwise` of other names.
std::size_t layer_of_name(std::string_view name, std::size_t otherwise) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return otherwise;
  std::size_t layer = 0;
  const char* const first = name.data() + kPrefix.size();
  return std::from_chars(first, name.data() + name.size(), layer).ec == std::errc{} ? layer
                                                                                    : otherwise;
}

}  // namespace

WeightExchange::WeightExchange(model::Model& model, int threads)
    : model_(model), threads_(threads), stages_(model.parameters().num_layers + 2) {
  const model::WeightPlaces places = model.weight_places();
  const std::vector<model::GgufTensor>& tensors = model.file().tensors();
  uses_.resize(tensors.size());
  roles_.resize(tensors.size(), TensorRole::kOther);
  for (std::size_t tensor = 0; tensor < tensors.size(); ++tensor) {
    for (const auto& [name, vector] : places.vectors)
      if (name == tensors[tensor].name) uses_[tensor].vector = vector;
    find_matrices(tensor, places.matrices);
    add_to_stages(tensor);
  }
}

void WeightExchange::find_matrices(std::size_t tensor,
                                   const std::vector<model::WeightMatrix*>& all) {
  const kernels::WeightRows rows = rows_of_tensor(model_.file().tensors()[tensor]);
  const std::less<const std::uint8_t*> less;
  for (model::WeightMatrix* const matrix : all) {
    const std::uint8_t* const data = matrix->weights.data;
    if (less(data, rows.data) || !less(data, rows.data + rows.rows * rows.row_bytes)) continue;
    const auto offset = static_cast<std::size_t>(data - rows.data);
    uses_[tensor].matrices.push_back({matrix, offset / rows.row_bytes});
    roles_[tensor] =
        is_token_table(matrix->address) ? TensorRole::kTokenTable : TensorRole::kMatrix;
  }
}

void WeightExchange::add_to_stages(std::size_t tensor) {
  const std::size_t head = stages_.size() - 1;
  const Use& use = uses_[tensor];
  if (use.vector != nullptr) {
    const std::size_t layer = layer_of_name(model_.file().tensors()[tensor].name, head - 1);
    stages_[layer + 1].push_back(tensor);
  }
  if (use.matrices.empty()) return;
  const TensorAddress address = use.matrices.front().matrix->address;
  if (address.projection == Projection::kEmbedding) {
    stages_[0].push_back(tensor);
    if (model_.is_tied()) stages_[head].push_back(tensor);
  } else {
    stages_[address.projection == Projection::kHead ? head : address.layer + 1].push_back(tensor);
  }
}

std::vector<WeightExchange::Part> WeightExchange::parts(std::size_t tensor) const {
  std::vector<Part> parts;
  for (const MatrixUse& use : uses_[tensor].matrices)
    parts.push_back({use.matrix->address, use.first_row});
  return parts;
}

Status WeightExchange::put(std::size_t tensor, LossyTensor change) {
  auto exchanged = std::make_unique<Exchanged>();
  exchanged->change = std::move(change);
  const model::GgufTensor& original = model_.file().tensors()[tensor];
  const kernels::WeightRows rows = exchanged->change.weights(original.rows(), original.cols());
  const Use& use = uses_[tensor];
  if (use.vector != nullptr) {
    BANKAI_CHECK(rows.rows == 1 && rows.cols == use.vector->size(), "a vector of another size");
    exchanged->vector = use.vector;
    exchanged->old_vector = *use.vector;
    kernels::widen_row(rows, 0, use.vector->data());
  }
  std::vector<model::WeightMatrix*> multiplied;
  for (const MatrixUse& part : use.matrices) {
    model::WeightMatrix& matrix = *part.matrix;
    exchanged->matrices.emplace_back(&matrix, matrix);
    matrix.weights = rows.slice(part.first_row, matrix.weights.rows);
    matrix.panels = {};
    // An embedding of its own is only looked up.
    if (matrix.address.projection != Projection::kEmbedding || model_.is_tied())
      multiplied.push_back(&matrix);
  }
  exchanged_.push_back(std::move(exchanged));
  BANKAI_ASSIGN_OR_RETURN(exchanged_.back()->panels,
                          model::pack_weights(model_.file(), multiplied, {.threads = threads_}));
  return {};
}

void WeightExchange::restore() {
  for (const auto& exchanged : exchanged_) {
    for (const auto& [matrix, old] : exchanged->matrices) *matrix = old;
    if (exchanged->vector != nullptr) *exchanged->vector = std::move(exchanged->old_vector);
  }
  exchanged_.clear();
}

}  // namespace bankai::packer
