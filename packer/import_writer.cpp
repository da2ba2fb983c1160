#include "packer/import_writer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/format.h"
#include "model/parallel.h"

namespace bankai::packer {
namespace {

constexpr std::size_t kPortionBytes = std::size_t{1} << 20U;  // of output at a time, per thread

}  // namespace

ImportWriter::ImportWriter(std::string input, const ImportModel& model,
                           const ImportOptions& options)
    : input_(std::move(input)), model_(model), options_(options) {
  for (const ImportTensor& tensor : model.tensors) total_ += tensor.input_bytes;
}

Status ImportWriter::write(std::size_t index, const Sink& sink) {
  const ImportTensor& tensor = model_.tensors[index];
  Status status;
  if (!tensor.copy.empty())
    status = sink(tensor.copy);
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

Status ImportWriter::write_rows(const ImportTensor& tensor, std::size_t row_bytes, const Sink& sink,
                                const Fill& fill) {
  const std::size_t rows = tensor.rows();
  const auto threads = static_cast<std::size_t>(std::max(options_.threads, 1));
  const std::size_t portion =
      std::max<std::size_t>(1, kPortionBytes * threads / std::max<std::size_t>(row_bytes, 1));
  std::vector<std::byte> bytes;
  for (std::size_t first = 0; first < rows; first += portion) {
    const std::size_t count = std::min(portion, rows - first);
    bytes.resize(count * row_bytes);
    BANKAI_RETURN_IF_ERROR(fill(first, count, std::span<std::byte>(bytes)));
    BANKAI_RETURN_IF_ERROR(sink(bytes));
    if (tensor.release) tensor.release(first, count);
    report(tensor, static_cast<double>(first + count) / static_cast<double>(rows));
  }
  return {};
}

Status ImportWriter::write_encoded(const ImportTensor& tensor, const Sink& sink) {
  BANKAI_ASSIGN_OR_RETURN(const BlockEncoder encoder,
                          BlockEncoder::make(tensor.encoding, tensor.rows(), tensor.cols(),
                                             tensor.floats, options_.threads));
  return write_rows(tensor, encoder.row_bytes(), sink,
                    [&](std::size_t first, std::size_t count, std::span<std::byte> bytes) {
                      return encoder.encode(first, count, bytes, options_.threads);
                    });
}

Status ImportWriter::write_blocks(const ImportTensor& tensor, const Sink& sink) {
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

void ImportWriter::report(const ImportTensor& tensor, double share) const {
  if (!options_.progress) return;
  const auto part = static_cast<std::uint64_t>(share * static_cast<double>(tensor.input_bytes));
  options_.progress(finished_ + part, total_, tensor.spec.name);
}

}  // namespace bankai::packer
