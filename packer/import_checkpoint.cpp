// Hugging Face folders: which tensor of the checkpoint is which of GGUF.
#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "core/format.h"
#include "kernels/half.h"
#include "model/safetensors.h"
#include "model/tensor_names.h"
#include "packer/hf_config.h"
#include "packer/hf_metadata.h"
#include "packer/hf_names.h"
#include "packer/hf_tokenizer.h"
#include "packer/import_model.h"
#include "packer/mlx_words.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;
using model::SafetensorsSet;
using model::SafetensorsTensor;
using model::SafetensorsType;

// Which row of the checkpoint makes a row of the output; nothing: the same.
using RowOrder = std::function<std::size_t(std::size_t row)>;

// The type of GGUF that holds all numbers of another.
TensorType own_type(SafetensorsType type) {
  if (type == SafetensorsType::kF32) return TensorType::kF32;
  return type == SafetensorsType::kBF16 ? TensorType::kBF16 : TensorType::kF16;
}

class Checkpoint {
 public:
  Checkpoint(const HfConfig& config, const ImportOptions& options,
             std::shared_ptr<const SafetensorsSet> set)
      : config_(config), options_(options), set_(std::move(set)) {}

  Result<std::vector<ImportTensor>> tensors() {
    const HfConfig& c = config_;
    BANKAI_RETURN_IF_ERROR(add_matrix(prefix() + std::string(kHfEmbedding),
                                      {0, Projection::kEmbedding}, c.vocabulary, c.embedding, {}));
    BANKAI_RETURN_IF_ERROR(
        add_vector(prefix() + std::string(kHfNorm) + ".weight", "output_norm.weight", c.embedding));
    if (!c.tied)
      BANKAI_RETURN_IF_ERROR(
          add_matrix(std::string(kHfHead), {0, Projection::kHead}, c.vocabulary, c.embedding, {}));
    if (auto factors = frequency_factors(c); !factors.empty())
      add_numbers("rope_freqs.weight", std::move(factors));
    for (std::uint32_t layer = 0; layer < c.num_layers; ++layer)
      BANKAI_RETURN_IF_ERROR(add_layer(layer));
    BANKAI_RETURN_IF_ERROR(check_leftovers());
    BANKAI_RETURN_IF_ERROR(check_symmetry());
    return std::move(tensors_);
  }

 private:
  std::string prefix() const { return std::string(config_.family.prefix); }

  Status add_layer(std::uint32_t layer) {
    const std::string hf = prefix() + "layers." + std::to_string(layer) + ".";
    const std::string block = "blk." + std::to_string(layer) + ".";
    for (const HfVectorName& name : kHfVectors) {
      const std::uint64_t size = size_of(name.gguf);
      if (size == 0) continue;
      const std::string older = hf + std::string(name.older) + ".weight";
      const bool is_older = !name.older.empty() && set_->find(older) != nullptr;
      BANKAI_RETURN_IF_ERROR(add_vector(is_older ? older : hf + std::string(name.hf) + ".weight",
                                        block + std::string(name.gguf) + ".weight", size));
    }
    for (const HfMatrixName& name : kHfMatrices)
      BANKAI_RETURN_IF_ERROR(add_projection(hf + std::string(name.hf), {layer, name.projection}));
    return {};
  }

  // Of a norm, as GGUF names it; 0 for one that the family does not have.
  std::uint64_t size_of(std::string_view gguf) const {
    const HfConfig& c = config_;
    if (gguf == "attn_q_norm" || gguf == "attn_k_norm")
      return c.family.has_qk_norm ? c.head_dim : 0;
    if (gguf == "attn_sub_norm") return c.family.has_sub_norms ? c.num_heads * c.head_dim : 0;
    if (gguf == "ffn_sub_norm") return c.family.has_sub_norms ? c.feed_forward : 0;
    return c.embedding;
  }

  Status add_projection(const std::string& hf, TensorAddress address) {
    const HfConfig& c = config_;
    const std::uint64_t query = c.num_heads * c.head_dim;
    const std::uint64_t kv = c.num_kv_heads * c.head_dim;
    std::uint64_t rows = c.feed_forward;
    std::uint64_t cols = c.embedding;
    switch (address.projection) {
      case Projection::kQuery: rows = query; break;
      case Projection::kKey:
      case Projection::kValue: rows = kv; break;
      case Projection::kOutput:
        rows = c.embedding;
        cols = query;
        break;
      case Projection::kDown:
        rows = c.embedding;
        cols = c.feed_forward;
        break;
      default: break;
    }
    const bool is_rotated =
        address.projection == Projection::kQuery || address.projection == Projection::kKey;
    RowOrder order;
    if (is_rotated && c.family.interleaves_rows)
      order = [head_dim = static_cast<std::size_t>(c.head_dim)](std::size_t row) {
        return halves_row(row, head_dim);
      };
    BANKAI_RETURN_IF_ERROR(add_matrix(hf, address, rows, cols, order));
    if (!c.family.has_biases || !(is_rotated || address.projection == Projection::kValue))
      return {};
    std::string bias = model::gguf_tensor_name(address);
    bias.replace(bias.rfind("weight"), std::string_view("weight").size(), "bias");
    return add_vector(hf + ".bias", bias, rows);
  }

  // A tensor of the checkpoint as numbers of this shape.
  Result<const SafetensorsTensor*> take(const std::string& name,
                                        const std::vector<std::uint64_t>& shape) {
    const SafetensorsTensor* tensor = set_->find(name);
    if (tensor == nullptr)
      return make_error(ErrorCode::kBadInput, "tensor %s is missing", bankai::quoted(name).c_str());
    taken_.insert(name);
    if (!model::safetensors_type_info(tensor->type).is_float)
      return make_error(
          ErrorCode::kUnsupported, "tensor %s holds %s; packed weights of this kind are not known",
          bankai::quoted(name).c_str(), model::safetensors_type_info(tensor->type).name.data());
    if (tensor->shape != shape)
      return make_error(ErrorCode::kBadInput, "tensor %s has the shape %s, expected %s",
                        bankai::quoted(name).c_str(), shape_text(tensor->shape).c_str(),
                        shape_text(shape).c_str());
    return tensor;
  }

  Status add_vector(const std::string& hf, const std::string& gguf, std::uint64_t size) {
    BANKAI_ASSIGN_OR_RETURN(const SafetensorsTensor* tensor, take(hf, {size}));
    ImportTensor out;
    out.spec = {gguf, TensorType::kF32, {size}, {}};
    out.encoding.type = TensorType::kF32;
    set_source(*tensor, {}, out);
    tensors_.push_back(std::move(out));
    return {};
  }

  // `hf`: the name without ".weight".
  Status add_matrix(const std::string& hf, TensorAddress address, std::uint64_t rows,
                    std::uint64_t cols, const RowOrder& order) {
    ImportTensor out;
    const bool is_embedding = address.projection >= Projection::kEmbedding;
    BANKAI_ASSIGN_OR_RETURN(const std::optional<MlxMatrix> mlx, MlxMatrix::find(*set_, hf));
    std::optional<BitnetMatrix> trits;
    if (config_.bitnet_scale) {
      BANKAI_ASSIGN_OR_RETURN(
          trits, BitnetMatrix::find(*set_, hf, static_cast<std::size_t>(rows),
                                    static_cast<std::size_t>(cols), *config_.bitnet_scale));
    }
    out.encoding = encoding_of(options_, is_embedding, !mlx && !trits);
    out.spec = {model::gguf_tensor_name(address), out.encoding.type, {cols, rows}, {}};
    if (options_.keeps_types) {
      const SafetensorsTensor* plain = set_->find(hf + ".weight");
      const bool is_wide = cols % kernels::tensor_type_info(TensorType::kTQ2_0).block_weights == 0;
      const TensorType packed =
          mlx ? TensorType::kQ1_0 : (is_wide ? TensorType::kTQ2_0 : TensorType::kQ2_0);
      const bool is_packed = mlx || trits || plain == nullptr;
      out.encoding = {is_packed ? packed : own_type(plain->type)};
      out.spec.type = out.encoding.type;
    }
    if (mlx) {
      BANKAI_RETURN_IF_ERROR(set_mlx_source(hf, *mlx, order, out));
    } else if (trits) {
      set_bitnet_source(hf, *trits, order, out);
    } else {
      BANKAI_ASSIGN_OR_RETURN(const SafetensorsTensor* tensor, take(hf + ".weight", {rows, cols}));
      set_source(*tensor, order, out);
    }
    tensors_.push_back(std::move(out));
    return {};
  }

  void set_source(const SafetensorsTensor& tensor, const RowOrder& order, ImportTensor& out) const {
    const std::size_t cols = out.cols();
    const std::size_t row_bytes = cols * model::safetensors_type_info(tensor.type).bytes;
    out.input_bytes = tensor.data.size();
    out.floats = [&tensor, order, cols, row_bytes](std::size_t row, float* to) {
      const std::size_t from = order ? order(row) : row;
      model::widen_elements(tensor.type, tensor.data.data() + from * row_bytes, cols, to);
    };
    if (order) return;  // rows that are near each other there need not be so here
    out.release = [this_set = set_, &tensor, row_bytes](std::size_t first, std::size_t count) {
      this_set->file_of(tensor).release(tensor.data.subspan(first * row_bytes, count * row_bytes));
    };
  }

  // Every type's own scale is at most a half. A scale that is none goes into a tensor beside the
  // matrix, and the weights are −1, 0 and 1.
  void set_bitnet_source(const std::string& hf, const BitnetMatrix& trits, const RowOrder& order,
                         ImportTensor& out) {
    for (const char* part : {".weight", ".weight_scale"}) taken_.insert(hf + part);
    const float scale = trits.scale();
    const bool is_half = kernels::f16_to_float(kernels::float_to_f16(scale)) == scale;
    const float factor = is_half || out.encoding.type == TensorType::kF32 ? scale : 1.0F;
    out.input_bytes = trits.bytes();
    out.floats = [trits, order, factor](std::size_t row, float* to) {
      trits.widen(order ? order(row) : row, factor, to);
    };
    if (factor == scale) return;
    std::string name = out.spec.name;
    name.replace(name.rfind("weight"), std::string_view("weight").size(), "scale");
    add_numbers(name, {scale});
  }

  // A vector that no tensor of the checkpoint holds.
  void add_numbers(const std::string& gguf, std::vector<float> numbers) {
    ImportTensor out;
    out.spec = {gguf, TensorType::kF32, {numbers.size()}, {}};
    out.encoding.type = TensorType::kF32;
    out.floats = [numbers = std::move(numbers)](std::size_t, float* to) {
      std::copy(numbers.begin(), numbers.end(), to);
    };
    tensors_.push_back(std::move(out));
  }

  Status set_mlx_source(const std::string& hf, const MlxMatrix& mlx, const RowOrder& order,
                        ImportTensor& out) {
    for (const char* part : {".weight", ".scales", ".biases"}) taken_.insert(hf + part);
    if (mlx.rows() != out.rows() || mlx.cols() != out.cols())
      return make_error(ErrorCode::kBadInput, "tensor %s has %zu × %zu weights, expected %zu × %zu",
                        bankai::quoted(hf).c_str(), mlx.rows(), mlx.cols(), out.rows(), out.cols());
    out.input_bytes = mlx.bytes();
    if (out.encoding.type == TensorType::kQ1_0 && out.encoding.scope == ScaleScope::kGroup) {
      exact_.emplace_back(hf, mlx);
      out.blocks = [mlx, order](std::size_t row, std::uint8_t* to) {
        mlx.encode_q1_0(order ? order(row) : row, to);
      };
    } else {
      out.floats = [mlx, order](std::size_t row, float* to) {
        mlx.widen(order ? order(row) : row, to);
      };
    }
    return {};
  }

  // Of all matrices that are to be copied bit for bit.
  Status check_symmetry() const {
    std::uint64_t groups = 0;
    std::string first;
    for (const auto& [name, matrix] : exact_) {
      const MlxMatrix::Asymmetry found = matrix.asymmetry();
      if (groups == 0 && found.groups != 0)
        first = format("tensor %s, row %zu, group %zu: scale %g, bias %g",
                       bankai::quoted(name).c_str(), found.row, found.group,
                       static_cast<double>(found.scale), static_cast<double>(found.bias));
      groups += found.groups;
    }
    if (groups == 0) return {};
    return make_error(ErrorCode::kUnsupported,
                      "%llu groups are not symmetric (scale = -2 bias), so Q1_0 cannot hold them; "
                      "the first is %s",
                      static_cast<unsigned long long>(groups), first.c_str());
  }

  // Every tensor must have found its place; what follows from others may be left out.
  Status check_leftovers() const {
    std::string names;
    std::size_t count = 0;
    for (const SafetensorsTensor* tensor : set_->tensors()) {
      const std::string& name = tensor->name;
      if (taken_.contains(name) || name.ends_with("rotary_emb.inv_freq")) continue;
      if (config_.tied && name.starts_with("lm_head.")) continue;
      if (++count <= 3) names += (names.empty() ? "" : ", ") + bankai::quoted(name);
    }
    if (count == 0) return {};
    return make_error(
        ErrorCode::kUnsupported, "%zu tensors have no place in the architecture %s: %s%s", count,
        std::string(config_.family.architecture).c_str(), names.c_str(), count > 3 ? ", …" : "");
  }

  static std::string shape_text(const std::vector<std::uint64_t>& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i)
      text += (i > 0 ? " × " : "") + std::to_string(shape[i]);
    return text + "]";
  }

  const HfConfig& config_;
  const ImportOptions& options_;
  std::shared_ptr<const SafetensorsSet> set_;
  std::vector<ImportTensor> tensors_;
  std::set<std::string> taken_;
  std::vector<std::pair<std::string, MlxMatrix>> exact_;
};

}  // namespace

Result<ImportModel> import_checkpoint(const std::string& folder, const ImportOptions& options) {
  BANKAI_ASSIGN_OR_RETURN(const HfConfig config, read_hf_config(folder));
  BANKAI_ASSIGN_OR_RETURN(SafetensorsSet opened, SafetensorsSet::open(folder));
  const auto set = std::make_shared<const SafetensorsSet>(std::move(opened));
  ImportModel model;
  model.files = set;
  model.architecture = config.family.architecture;
  // The shapes first: they bound what the tokenizer may ask for.
  auto tensors = Checkpoint(config, options, set).tensors();
  if (!tensors.ok()) return with_context(std::move(tensors).error(), folder);
  model.tensors = std::move(tensors).value();
  BANKAI_ASSIGN_OR_RETURN(const HfTokenizer tokenizer,
                          read_hf_tokenizer(folder, config, options.pre_tokenizer));
  add_hyperparameters(model.builder, config);
  // Of types that are kept, that of the embedding, which comes first.
  add_file_type(model.builder,
                options.keeps_types ? model.tensors.front().spec.type : options.encoding.type);
  add_tokenizer(model.builder, tokenizer);
  return model;
}

}  // namespace bankai::packer
