#include "packer/import.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/format.h"
#include "kernels/ternary_blocks.h"
#include "model/gguf_tensor.h"
#include "model/parallel.h"
#include "packer/import_model.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;
using model::GgufTensorSink;

constexpr std::size_t kPortionBytes = std::size_t{1} << 20U;  // of output at a time, per thread

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

class Writer {
 public:
  Writer(std::string input, const ImportModel& model, const ImportOptions& options)
      : input_(std::move(input)), model_(model), options_(options) {
    for (const ImportTensor& tensor : model.tensors) total_ += tensor.input_bytes;
  }

  Status write(std::size_t index, GgufTensorSink& sink) {
    const ImportTensor& tensor = model_.tensors[index];
    Status status;
    if (!tensor.copy.empty())
      status = sink.write(tensor.copy);
    else if (tensor.blocks)
      status = write_blocks(tensor, sink);
    else
      status = write_encoded(tensor, sink);
    if (!status.ok())
      return with_context(std::move(status).error(),
                          input_ + ": tensor " + bankai::quoted(tensor.spec.name));
    finished_ += tensor.input_bytes;
    report(tensor, 0.0);
    return {};
  }

 private:
  // Portions of rows of `row_bytes`, each filled by fill(first, count, bytes).
  template <typename Fill>
  Status write_rows(const ImportTensor& tensor, std::size_t row_bytes, GgufTensorSink& sink,
                    Fill fill) {
    const std::size_t rows = tensor.rows();
    const auto threads = static_cast<std::size_t>(std::max(options_.threads, 1));
    const std::size_t portion =
        std::max<std::size_t>(1, kPortionBytes * threads / std::max<std::size_t>(row_bytes, 1));
    std::vector<std::byte> bytes;
    for (std::size_t first = 0; first < rows; first += portion) {
      const std::size_t count = std::min(portion, rows - first);
      bytes.resize(count * row_bytes);
      BANKAI_RETURN_IF_ERROR(fill(first, count, std::span<std::byte>(bytes)));
      BANKAI_RETURN_IF_ERROR(sink.write(bytes));
      if (tensor.release) tensor.release(first, count);
      report(tensor, static_cast<double>(first + count) / static_cast<double>(rows));
    }
    return {};
  }

  Status write_encoded(const ImportTensor& tensor, GgufTensorSink& sink) {
    BANKAI_ASSIGN_OR_RETURN(const BlockEncoder encoder,
                            BlockEncoder::make(tensor.encoding, tensor.rows(), tensor.cols(),
                                               tensor.floats, options_.threads));
    return write_rows(tensor, encoder.row_bytes(), sink,
                      [&](std::size_t first, std::size_t count, std::span<std::byte> bytes) {
                        return encoder.encode(first, count, bytes, options_.threads);
                      });
  }

  Status write_blocks(const ImportTensor& tensor, GgufTensorSink& sink) {
    const kernels::TensorTypeInfo& type = kernels::tensor_type_info(tensor.spec.type);
    const std::size_t row_bytes = tensor.cols() / type.block_weights * type.block_bytes;
    return write_rows(tensor, row_bytes, sink,
                      [&](std::size_t first, std::size_t count, std::span<std::byte> bytes) {
                        auto* out = reinterpret_cast<std::uint8_t*>(bytes.data());
                        model::parallel_for(options_.threads, count, [&](IndexRange range) {
                          for (std::size_t i = range.begin; i < range.end; ++i)
                            tensor.blocks(first + i, out + i * row_bytes);
                        });
                        return Status();
                      });
  }

  void report(const ImportTensor& tensor, double share) const {
    if (!options_.progress) return;
    const auto part = static_cast<std::uint64_t>(share * static_cast<double>(tensor.input_bytes));
    options_.progress(finished_ + part, total_, tensor.spec.name);
  }

  std::string input_;  // for messages
  const ImportModel& model_;
  const ImportOptions& options_;
  std::uint64_t finished_ = 0;
  std::uint64_t total_ = 0;
};

// Whole blocks in every row: known before the first byte is written.
Status check_blocks(const ImportTensor& tensor) {
  const kernels::TensorTypeInfo& type = kernels::tensor_type_info(tensor.spec.type);
  if (tensor.cols() % type.block_weights == 0) return {};
  return make_error(ErrorCode::kUsage,
                    "tensor %s: %zu columns are no multiple of %zu, the block of %s",
                    bankai::quoted(tensor.spec.name).c_str(), tensor.cols(), type.block_weights,
                    std::string(type.name).c_str());
}

}  // namespace

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
  for (const ImportTensor& tensor : model.tensors) {
    if (const Status checked = check_blocks(tensor); !checked.ok())
      return with_context(checked.error(), input);
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
  Writer writer(input, model, options);
  BANKAI_RETURN_IF_ERROR(model.builder.write(
      output, overwrite,
      [&writer](std::size_t index, GgufTensorSink& sink) { return writer.write(index, sink); }));
  return report;
}

}  // namespace bankai::packer
