#include "model/model.h"

#include <cmath>
#include <utility>

#include "core/format.h"
#include "model/tensor_names.h"

namespace bankai::model {
namespace {

constexpr const char* kOutputNorm = "output_norm.weight";
constexpr const char* kFrequencyFactors = "rope_freqs.weight";

}  // namespace

Result<std::unique_ptr<Model>> Model::load(const std::string& path, const LoadOptions& options) {
  BANKAI_ASSIGN_OR_RETURN(GgufFile file, GgufFile::open(path));
  return from_file(std::move(file), options);
}

Result<std::unique_ptr<Model>> Model::from_file(GgufFile file, const LoadOptions& options) {
  std::unique_ptr<Model> model(new Model(std::move(file)));
  BANKAI_RETURN_IF_ERROR(model->bind(options));
  BANKAI_RETURN_IF_ERROR(model->pack(options));
  return model;
}

WeightPlaces Model::weight_places() {
  WeightPlaces places{layer_matrices(), {}};
  places.matrices.push_back(&embedding_);
  if (!tied_) places.matrices.push_back(&head_);
  for (const VectorPlace& place : vector_places_)
    places.vectors.emplace_back(place.name, &(layers_[place.layer].*place.vector));
  places.vectors.emplace_back(kOutputNorm, &output_norm_);
  has_float_matrices_ = true;
  return places;
}

std::vector<WeightMatrix*> Model::layer_matrices() {
  std::vector<WeightMatrix*> matrices;
  for (LayerWeights& layer : layers_)
    for (WeightMatrix* matrix : {&layer.query, &layer.key, &layer.value, &layer.output, &layer.gate,
                                 &layer.up, &layer.down})
      matrices.push_back(matrix);
  return matrices;
}

Status Model::pack(const LoadOptions& options) {
  std::vector<WeightMatrix*> matrices = layer_matrices();
  matrices.push_back(tied_ ? &embedding_ : &head_);  // an embedding alone is only looked up
  Result<PageMemory> panels = pack_weights(file_, matrices, options);
  if (!panels.ok()) return with_context(std::move(panels).error(), file_.path());
  panels_ = std::move(panels).value();
  for (const WeightMatrix* matrix : matrices)
    if (matrix->panels.lines == nullptr) has_float_matrices_ = true;
  return {};
}

Status Model::bind(const LoadOptions& options) {
  BANKAI_ASSIGN_OR_RETURN(parameters_, read_hyperparameters(file_));
  const Hyperparameters& h = parameters_;
  WeightBinder binder(file_, h, options.i2s_layout);
  BANKAI_ASSIGN_OR_RETURN(embedding_,
                          binder.matrix({0, Projection::kEmbedding}, h.vocabulary, h.embedding));
  tied_ = file_.find_tensor(gguf_tensor_name({0, Projection::kHead})) == nullptr;
  if (!tied_) {
    BANKAI_ASSIGN_OR_RETURN(head_,
                            binder.matrix({0, Projection::kHead}, h.vocabulary, h.embedding));
  }
  BANKAI_ASSIGN_OR_RETURN(output_norm_, binder.vector(kOutputNorm, h.embedding));
  BANKAI_RETURN_IF_ERROR(bind_frequency_factors(binder));
  for (std::size_t layer = 0; layer < h.num_layers; ++layer)
    BANKAI_RETURN_IF_ERROR(bind_layer(binder, layer));
  rearranged_ = binder.take_rearranged();
  warnings_ = binder.take_warnings();
  BANKAI_ASSIGN_OR_RETURN(tokenizer_, Tokenizer::from_gguf(file_));
  if (tokenizer_->vocabulary_size() > h.vocabulary)
    return make_error(ErrorCode::kBadInput,
                      "%s: the tokenizer has %zu tokens, the embedding only %zu rows",
                      file_.path().c_str(), tokenizer_->vocabulary_size(), h.vocabulary);
  return {};
}

Status Model::bind_frequency_factors(const WeightBinder& binder) {
  if (file_.find_tensor(kFrequencyFactors) == nullptr) return {};
  RopeParameters& rope = parameters_.rope;
  BANKAI_ASSIGN_OR_RETURN(rope.frequency_factors,
                          binder.vector(kFrequencyFactors, rope.dimensions / 2));
  for (const float factor : rope.frequency_factors)
    if (!(factor > 0.0F) || !std::isfinite(factor))
      return make_error(ErrorCode::kBadInput, "%s: tensor '%s' holds %g, expected positive numbers",
                        file_.path().c_str(), kFrequencyFactors, static_cast<double>(factor));
  return {};
}

Status Model::bind_layer(WeightBinder& binder, std::size_t index) {
  const Hyperparameters& h = parameters_;
  const std::string prefix = "blk." + std::to_string(index) + ".";
  LayerWeights& layer = layers_.emplace_back();
  const struct {
    std::vector<float> LayerWeights::*vector;
    const char* name;
    std::size_t size;
    bool exists;
  } vectors[] = {
      {&LayerWeights::attention_norm, "attn_norm.weight", h.embedding, true},
      {&LayerWeights::query_norm, "attn_q_norm.weight", h.head_dim, h.has_qk_norm},
      {&LayerWeights::key_norm, "attn_k_norm.weight", h.head_dim, h.has_qk_norm},
      {&LayerWeights::attention_sub_norm, "attn_sub_norm.weight", h.query_dim(), h.has_sub_norms},
      {&LayerWeights::query_bias, "attn_q.bias", h.query_dim(), h.has_biases},
      {&LayerWeights::key_bias, "attn_k.bias", h.kv_dim(), h.has_biases},
      {&LayerWeights::value_bias, "attn_v.bias", h.kv_dim(), h.has_biases},
      {&LayerWeights::ffn_norm, "ffn_norm.weight", h.embedding, true},
      {&LayerWeights::ffn_sub_norm, "ffn_sub_norm.weight", h.feed_forward, h.has_sub_norms},
  };
  for (const auto& [vector, name, size, exists] : vectors) {
    if (!exists) continue;
    VectorPlace place{prefix + name, index, vector};
    BANKAI_ASSIGN_OR_RETURN(layer.*vector, binder.vector(place.name, size));
    vector_places_.push_back(std::move(place));
  }
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
        matrix, binder.matrix({static_cast<std::uint32_t>(index), projection}, rows, cols));
  }
  return {};
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
