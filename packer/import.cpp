#include "packer/import.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/format.h"
#include "kernels/ternary_blocks.h"
#include "model/gguf_tensor.h"
#include "packer/import_model.h"
#include "packer/import_writer.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;

struct FileType {
  TensorType type;
  std::uint32_t number;
};
constexpr std::array<FileType, 8> kFileTypes = {{{TensorType::kF32, 0},
                                                 {TensorType::kF16, 1},
                                                 {TensorType::kQ8_0, 7},
                                                 {TensorType::kBF16, 32},
                                                 {TensorType::kTQ1_0, 36},
                                                 {TensorType::kTQ2_0, 37},
                                                 {TensorType::kQ1_0, 40},
                                                 {TensorType::kQ2_0, 41}}};

}  // namespace

Status check_blocks(const ImportModel& model, const std::string& input) {
  for (const ImportTensor& tensor : model.tensors) {
    const kernels::TensorTypeInfo& type = kernels::tensor_type_info(tensor.spec.type);
    if (tensor.cols() % type.block_weights != 0)
      return make_error(ErrorCode::kUsage,
                        "%s: tensor %s: %zu columns are no multiple of %zu, the block of %s",
                        input.c_str(), bankai::quoted(tensor.spec.name).c_str(), tensor.cols(),
                        type.block_weights, std::string(type.name).c_str());
  }
  return {};
}

BlockEncoding encoding_of(const ImportOptions& options, bool is_embedding, bool is_float) {
  BlockEncoding encoding = options.encoding;
  if (!is_embedding) return encoding;
  const bool is_coarse = encoding.type == TensorType::kQ1_0 || kernels::is_ternary(encoding.type);
  if (options.embedding_type)
    encoding.type = *options.embedding_type;
  else if (is_float && is_coarse)
    encoding.type = TensorType::kQ8_0;
  return encoding;
}

void add_file_type(model::GgufBuilder& builder, TensorType type) {
  for (const FileType& entry : kFileTypes)
    if (entry.type == type) builder.add<std::uint32_t>("general.file_type", entry.number);
  if (kernels::tensor_type_info(type).block_weights > 1)
    builder.add<std::uint32_t>("general.quantization_version", 2);
}

bool is_checkpoint_folder(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::path(path) / "config.json", error);
}

Result<ImportReport> convert_model(const std::string& input, const std::string& output,
                                   Overwrite overwrite, const ImportOptions& options) {
  BANKAI_ASSIGN_OR_RETURN(ImportModel model, is_checkpoint_folder(input)
                                                 ? import_checkpoint(input, options)
                                                 : import_gguf(input, options));
  ImportReport report;
  report.architecture = model.architecture;
  BANKAI_RETURN_IF_ERROR(check_blocks(model, input));
  for (const ImportTensor& tensor : model.tensors) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t bytes,
                            model::tensor_bytes(tensor.spec.type, tensor.spec.dims));
    ++report.tensors;
    if (tensor.copy.empty() && !tensor.blocks) {
      ++report.encoded;
      report.is_lossless = false;
    }
    report.input_bytes += tensor.input_bytes;
    report.output_bytes += bytes;
    model.builder.add_tensor(tensor.spec);
  }
  ImportWriter writer(input, model, options);
  BANKAI_RETURN_IF_ERROR(model.builder.write(
      output, overwrite, [&writer](std::size_t index, model::GgufTensorSink& sink) {
        return writer.write(
            index, [&sink](std::span<const std::byte> bytes) { return sink.write(bytes); });
      }));
  return report;
}

}  // namespace bankai::packer
