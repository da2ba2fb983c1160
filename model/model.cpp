#include "model/model.h"

#include <utility>

#include "core/format.h"
#include "model/tensor_names.h"

namespace bankai::model {
namespace {

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

}  // namespace

Result<std::unique_ptr<Model>> Model::load(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(GgufFile file, GgufFile::open(path));
  return from_file(std::move(file));
}

Result<std::unique_ptr<Model>> Model::from_file(GgufFile file) {
  std::unique_ptr<Model> model(new Model(std::move(file)));
  BANKAI_RETURN_IF_ERROR(model->bind());
  return model;
}

Status Model::bind() {
  BANKAI_ASSIGN_OR_RETURN(parameters_, read_hyperparameters(file_));
  const Hyperparameters& h = parameters_;
  BANKAI_ASSIGN_OR_RETURN(embedding_,
                          find_weights({0, Projection::kEmbedding}, h.vocabulary, h.embedding));
  tied_ = file_.find_tensor(gguf_tensor_name({0, Projection::kHead})) == nullptr;
  if (!tied_) {
    BANKAI_ASSIGN_OR_RETURN(head_, find_weights({0, Projection::kHead}, h.vocabulary, h.embedding));
  }
  BANKAI_ASSIGN_OR_RETURN(output_norm_, read_vector("output_norm.weight", h.embedding));
  for (std::size_t layer = 0; layer < h.num_layers; ++layer)
    BANKAI_RETURN_IF_ERROR(bind_layer(layer));
  BANKAI_ASSIGN_OR_RETURN(tokenizer_, Tokenizer::from_gguf(file_));
  if (tokenizer_->vocabulary_size() > h.vocabulary)
    return make_error(ErrorCode::kBadInput,
                      "%s: the tokenizer has %zu tokens, the embedding only %zu rows",
                      file_.path().c_str(), tokenizer_->vocabulary_size(), h.vocabulary);
  return {};
}

Status Model::bind_layer(std::size_t index) {
  const Hyperparameters& h = parameters_;
  const std::string prefix = "blk." + std::to_string(index) + ".";
  LayerWeights& layer = layers_.emplace_back();
  BANKAI_ASSIGN_OR_RETURN(layer.attention_norm,
                          read_vector(prefix + "attn_norm.weight", h.embedding));
  BANKAI_ASSIGN_OR_RETURN(layer.query_norm, read_vector(prefix + "attn_q_norm.weight", h.head_dim));
  BANKAI_ASSIGN_OR_RETURN(layer.key_norm, read_vector(prefix + "attn_k_norm.weight", h.head_dim));
  BANKAI_ASSIGN_OR_RETURN(layer.ffn_norm, read_vector(prefix + "ffn_norm.weight", h.embedding));
  const struct {
    WeightMatrix& matrix;
    Projection projection;
    std::size_t rows, cols;
  } matrices[] = {
      {layer.query, Projection::kQuery, h.query_dim(), h.embedding},
      {layer.key, Projection::kKey, h.kv_dim(), h.embedding},
      {layer.value, Projection::kValue, h.kv_dim(), h.embedding},
      {layer.output, Projection::kOutput, h.embedding, h.query_dim()},
      {layer.gate, Projection::kGate, h.feed_forward, h.embedding},
      {layer.up, Projection::kUp, h.feed_forward, h.embedding},
      {layer.down, Projection::kDown, h.embedding, h.feed_forward},
  };
  for (const auto& [matrix, projection, rows, cols] : matrices) {
    BANKAI_ASSIGN_OR_RETURN(
        matrix, find_weights({static_cast<std::uint32_t>(index), projection}, rows, cols));
  }
  return {};
}

Result<std::vector<float>> Model::read_vector(const std::string& name, std::size_t size) const {
  const GgufTensor* tensor = file_.find_tensor(name);
  if (tensor == nullptr)
    return make_error(ErrorCode::kBadInput, "%s: tensor '%s' is missing", file_.path().c_str(),
                      name.c_str());
  const bool is_float = kernels::tensor_type_info(tensor->type).block_weights == 1;
  if (!is_float || tensor->rows() != 1 || tensor->cols() != size)
    return make_error(
        ErrorCode::kBadInput, "%s: tensor '%s' is %s %s, expected a float vector of %zu",
        file_.path().c_str(), name.c_str(), kernels::tensor_type_info(tensor->type).name.data(),
        shape_text(*tensor).c_str(), size);
  std::vector<float> values(size);
  const auto* data = reinterpret_cast<const std::uint8_t*>(tensor->data.data());
  kernels::widen_row({tensor->type, data, 1, size, tensor->data.size()}, 0, values.data());
  return values;
}

Result<WeightMatrix> Model::find_weights(TensorAddress address, std::size_t rows,
                                         std::size_t cols) const {
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
  const std::size_t row_bytes = tensor->data.size() / tensor->rows();
  const auto* data = reinterpret_cast<const std::uint8_t*>(tensor->data.data());
  return WeightMatrix{address, {tensor->type, data + first_row * row_bytes, rows, cols, row_bytes}};
}

const WeightMatrix* Model::find_matrix(TensorAddress address) const {
  if (address.projection == Projection::kEmbedding)
    return address.layer == 0 ? &embedding_ : nullptr;
  if (address.projection == Projection::kHead)
    return address.layer == 0 && !tied_ ? &head_ : nullptr;
  if (address.layer >= layers_.size()) return nullptr;
  const LayerWeights& layer = layers_[address.layer];
  switch (address.projection) {
    case Projection::kGate: return &layer.gate;
    case Projection::kUp: return &layer.up;
    case Projection::kDown: return &layer.down;
    case Projection::kQuery: return &layer.query;
    case Projection::kKey: return &layer.key;
    case Projection::kValue: return &layer.value;
    default: return &layer.output;
  }
}

std::optional<BitMatrixView> Model::bit_matrix(TensorAddress address) const {
  const WeightMatrix* matrix = find_matrix(address);
  if (matrix == nullptr || matrix->weights.type != kernels::TensorType::kQ1_0) return std::nullopt;
  const auto* blocks = reinterpret_cast<const std::byte*>(matrix->weights.data);
  return BitMatrixView::from_q1_0(blocks, matrix->weights.rows, matrix->weights.cols);
}

std::vector<TensorAddress> Model::bit_matrix_addresses() const {
  std::vector<TensorAddress> addresses;
  for (std::uint32_t layer = 0; layer < layers_.size(); ++layer)
    for (const ProjectionNames& names : kProjections)
      if (bit_matrix({layer, names.projection})) addresses.push_back({layer, names.projection});
  return addresses;
}

}  // namespace bankai::model
