// GGUF files whose matrices are encoded anew: everything else is copied.
#include <cstring>
#include <utility>

#include "core/format.h"
#include "model/gguf_file.h"
#include "model/tensor_names.h"
#include "packer/import_model.h"
#include "packer/pack_model.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;
using model::GgufFile;
using model::GgufTensor;

// The float behind an I2_S tensor.
float trailing_scale(const GgufTensor& tensor) {
  float scale = 1.0F;
  if (tensor.type == TensorType::kI2_S)
    std::memcpy(&scale,
                tensor.data.data() + tensor.data.size() -
                    kernels::tensor_type_info(tensor.type).trailer_bytes,
                sizeof scale);
  return scale;
}

// The rows of a matrix that is not of the wanted type.
Result<RowSource> rows_of_tensor(const GgufTensor& tensor, const ImportOptions& options) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(tensor.data.data());
  const kernels::TensorTypeInfo& type = kernels::tensor_type_info(tensor.type);
  const std::size_t row_bytes = tensor.cols() / type.block_weights * type.block_bytes;
  const bool is_plain =
      tensor.type != TensorType::kI2_S || options.i2s_layout == kernels::I2sLayout::kRuns128;
  if (is_plain)
    return rows_of({tensor.type, bytes, tensor.rows(), tensor.cols(), row_bytes},
                   trailing_scale(tensor));
  const kernels::I2sLayoutInfo& layout = kernels::i2s_layout_info(options.i2s_layout);
  if (tensor.rows() % layout.rows_at_once != 0)
    return make_error(ErrorCode::kBadInput, "%zu rows, expected a multiple of %zu in the layout %s",
                      tensor.rows(), layout.rows_at_once, std::string(layout.name).c_str());
  auto codes = std::make_shared<std::vector<std::uint8_t>>(tensor.rows() * row_bytes);
  kernels::rearrange_i2_s(layout.layout, bytes, tensor.rows(), tensor.cols(), codes->data());
  const RowSource rows =
      rows_of({tensor.type, codes->data(), tensor.rows(), tensor.cols(), row_bytes},
              trailing_scale(tensor));
  return RowSource([codes, rows](std::size_t row, float* out) { rows(row, out); });
}

bool is_float(TensorType type) { return kernels::tensor_type_info(type).block_weights == 1; }

Result<ImportTensor> import_tensor(const GgufTensor& tensor, const ImportOptions& options,
                                   const GgufFile& file) {
  ImportTensor out;
  out.spec = {std::string(tensor.name), tensor.type, tensor.dims, tensor.type_id};
  out.input_bytes = tensor.data.size();
  const auto address = model::parse_gguf_tensor_name(tensor.name);
  const bool is_fused = tensor.name.ends_with(".attn_qkv.weight");
  if (tensor.dims.size() == 2 && (address || is_fused)) {
    const bool is_embedding = address && address->projection >= Projection::kEmbedding;
    out.encoding = encoding_of(options, is_embedding, is_float(tensor.type));
    if (out.encoding.type != tensor.type || out.encoding.code_bits != 8) {
      out.spec.type = out.encoding.type;
      out.spec.type_id.reset();
      BANKAI_ASSIGN_OR_RETURN(out.floats, rows_of_tensor(tensor, options));
      const std::size_t row_bytes = tensor.data.size() / tensor.rows();
      out.release = [&file, data = tensor.data, row_bytes](std::size_t first, std::size_t count) {
        file.release(data.subspan(first * row_bytes, count * row_bytes));
      };
      return out;
    }
  }
  out.copy = tensor.data;
  return out;
}

}  // namespace

Result<ImportModel> import_gguf(const std::string& path, const ImportOptions& options) {
  BANKAI_ASSIGN_OR_RETURN(GgufFile opened, open_gguf_or_pack(path, options.threads));
  const auto file = std::make_shared<const GgufFile>(std::move(opened));
  ImportModel model;
  model.files = file;
  BANKAI_ASSIGN_OR_RETURN(model.architecture, file->get_string("general.architecture", ""));
  for (const model::GgufValue& value : file->metadata())
    if (value.key != "general.file_type" && value.key != "general.quantization_version")
      model.builder.add_value(value);
  add_file_type(model.builder, options.encoding.type);
  for (const GgufTensor& tensor : file->tensors()) {
    auto imported = import_tensor(tensor, options, *file);
    if (!imported.ok())
      return with_context(std::move(imported).error(),
                          path + ": tensor " + bankai::quoted(tensor.name));
    model.tensors.push_back(std::move(imported).value());
  }
  return model;
}

}  // namespace bankai::packer
