#include "model/gguf_tensor.h"

#include <cinttypes>
#include <optional>
#include <string>

#include "core/format.h"
#include "model/gguf_header.h"
#include "model/gguf_types.h"

namespace bankai::model {
namespace {

// An entry as written: what it says is not yet compared with the file.
struct TensorInfo {
  GgufTensor tensor;
  std::uint64_t relative_offset = 0;  // of the data, from the start of all data
};

std::string describe(std::string_view name) { return "tensor " + quoted(name); }

Result<std::uint64_t> num_weights(std::span<const std::uint64_t> dims) {
  if (dims.empty() || dims.size() > kGgufMaxDims)
    return make_error(ErrorCode::kBadInput, "%zu dimensions, expected 1 to %" PRIu32, dims.size(),
                      kGgufMaxDims);
  std::uint64_t weights = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 || dims[i] > kGgufMaxDim)
      return make_error(ErrorCode::kBadInput,
                        "dimension %zu is %" PRIu64 ", expected 1 to %" PRIu64, i, dims[i],
                        kGgufMaxDim);
    if (__builtin_mul_overflow(weights, dims[i], &weights) || weights > kGgufMaxBytes)
      return make_error(ErrorCode::kBadInput, "the product of the dimensions is beyond 2^62");
  }
  return weights;
}

Status read_shape_and_place(ByteReader& reader, TensorInfo& info) {
  const std::size_t offset = reader.offset();
  BANKAI_ASSIGN_OR_RETURN(const auto num_dims, reader.read<std::uint32_t>("a dimension count"));
  if (num_dims == 0 || num_dims > kGgufMaxDims)
    return make_error(ErrorCode::kBadInput,
                      "%" PRIu32 " dimensions at offset %zu, expected 1 to %" PRIu32, num_dims,
                      offset, kGgufMaxDims);
  info.tensor.dims.resize(num_dims);
  for (std::uint64_t& dim : info.tensor.dims) {
    BANKAI_ASSIGN_OR_RETURN(dim, reader.read<std::uint64_t>("a dimension"));
  }
  BANKAI_ASSIGN_OR_RETURN(info.tensor.type_id, reader.read<std::uint32_t>("a tensor type"));
  BANKAI_ASSIGN_OR_RETURN(info.relative_offset, reader.read<std::uint64_t>("a data offset"));
  return {};
}

Result<TensorInfo> read_info(ByteReader& reader) {
  TensorInfo info;
  info.tensor.info_offset = reader.offset();
  BANKAI_ASSIGN_OR_RETURN(info.tensor.name, read_text(reader, "a tensor name"));
  if (Status status = check_tensor_name(info.tensor.name); !status.ok())
    return with_context(std::move(status).error(),
                        format("tensor entry at offset %" PRIu64, info.tensor.info_offset));
  if (Status status = read_shape_and_place(reader, info); !status.ok())
    return with_context(std::move(status).error(), describe(info.tensor.name));
  return info;
}

// Places the tensors of `infos` one after the other in the data of the file.
class Layout {
 public:
  Layout(std::span<const std::byte> data, std::uint64_t data_offset, std::uint64_t alignment)
      : data_(data), data_offset_(data_offset), alignment_(alignment) {}

  // All tensors, in the order of their entries, out of `infos`.
  Result<std::vector<GgufTensor>> place(std::span<TensorInfo> infos) {
    for (std::size_t i = 0; i < infos.size(); ++i)
      if (const auto weights = num_weights(infos[i].tensor.dims); weights.ok())
        ids_.add(infos[i].tensor.type_id, measure(infos, i, *weights));
    std::vector<GgufTensor> tensors;
    for (std::size_t i = 0; i < infos.size(); ++i) {
      const std::string_view name = infos[i].tensor.name;
      auto placed = place_next(infos, i);
      if (!placed.ok()) return with_context(std::move(placed).error(), describe(name));
      tensors.push_back(std::move(placed).value());
    }
    BANKAI_RETURN_IF_ERROR(finish());
    return tensors;
  }

 private:
  // After the last tensor: may the file end here?
  Status finish() const {
    if (data_.size() <= next_) return {};
    return make_error(ErrorCode::kBadInput,
                      "%" PRIu64 " bytes follow the end of the last tensor at offset %" PRIu64
                      " (file size %" PRIu64 "): more than the tensors listed",
                      data_.size() - next_, data_offset_ + next_, data_offset_ + data_.size());
  }

  Result<GgufTensor> place_next(std::span<TensorInfo> infos, std::size_t index) {
    TensorInfo& info = infos[index];
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t weights, num_weights(info.tensor.dims));
    const TensorExtent extent = measure(infos, index, weights);
    GgufTensor tensor = std::move(info.tensor);
    BANKAI_ASSIGN_OR_RETURN(tensor.type, ids_.resolve(tensor.type_id, extent));
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t bytes, tensor_bytes(tensor.type, tensor.dims));
    if (info.relative_offset != next_)
      return make_error(ErrorCode::kBadInput,
                        "data offset %" PRIu64 ", expected %" PRIu64
                        ": tensors must follow each other in the order of their entries, padded "
                        "to %" PRIu64 " bytes",
                        info.relative_offset, next_, alignment_);
    if (!extent.is_last) BANKAI_RETURN_IF_ERROR(check_extent(tensor, bytes, extent));
    if (next_ > data_.size() || bytes > data_.size() - next_)
      return make_error(ErrorCode::kBadInput,
                        "ends past the end of the file (data at offset %" PRIu64 ", %" PRIu64
                        " bytes, file size %" PRIu64 "): cut short?",
                        data_offset_ + next_, bytes, data_offset_ + data_.size());
    tensor.offset = data_offset_ + next_;
    tensor.data = data_.subspan(static_cast<std::size_t>(next_), static_cast<std::size_t>(bytes));
    next_ += round_up(bytes, alignment_);
    return tensor;
  }

  TensorExtent measure(std::span<const TensorInfo> infos, std::size_t index,
                       std::uint64_t weights) const {
    const bool is_last = index + 1 == infos.size();
    const std::uint64_t begin = infos[index].relative_offset;
    const std::uint64_t end = is_last ? data_.size() : infos[index + 1].relative_offset;
    return {weights, end > begin ? end - begin : 0, alignment_, is_last};
  }

  // A type id says little (gguf_types.h): the distance to the next tensor must agree with it.
  static Status check_extent(const GgufTensor& tensor, std::uint64_t bytes,
                             const TensorExtent& extent) {
    const kernels::TensorTypeInfo& type = kernels::tensor_type_info(tensor.type);
    if (type.block_weights == 1 || fits(extent, type)) return {};
    const std::string trailer =
        type.trailer_bytes == 0 ? "" : format(" and %zu behind all", type.trailer_bytes);
    return make_error(ErrorCode::kBadInput,
                      "type %s (id %" PRIu32 ", %zu weights in %zu bytes%s) needs %" PRIu64
                      " bytes, but the next tensor starts %" PRIu64
                      " bytes on: another layout under the same type id, or a damaged file",
                      std::string(type.name).c_str(), tensor.type_id, type.block_weights,
                      type.block_bytes, trailer.c_str(), bytes, extent.bytes);
  }

  std::span<const std::byte> data_;
  std::uint64_t data_offset_;
  std::uint64_t alignment_;
  TypeIds ids_;
  std::uint64_t next_ = 0;  // where the next tensor must start, relative to data_
};

}  // namespace

Status check_tensor_name(std::string_view name) {
  if (name.empty()) return make_error(ErrorCode::kBadInput, "the name is empty");
  if (name.size() > kGgufMaxNameBytes)
    return make_error(ErrorCode::kBadInput, "a name of %zu bytes, expected at most %zu",
                      name.size(), kGgufMaxNameBytes);
  if (name.find('\0') != std::string_view::npos)
    return make_error(ErrorCode::kBadInput, "the name %s contains a zero byte",
                      quoted(name).c_str());
  return {};
}

std::size_t GgufTensor::rows() const {
  std::uint64_t rows = 1;
  for (std::size_t i = 1; i < dims.size(); ++i) rows *= dims[i];
  return static_cast<std::size_t>(rows);
}

Result<std::uint64_t> tensor_bytes(kernels::TensorType type, std::span<const std::uint64_t> dims) {
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t weights, num_weights(dims));
  const kernels::TensorTypeInfo& info = kernels::tensor_type_info(type);
  if (dims[0] % info.block_weights != 0)
    return make_error(ErrorCode::kBadInput,
                      "%" PRIu64 " columns, expected a multiple of %zu for type %s", dims[0],
                      info.block_weights, std::string(info.name).c_str());
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(weights / info.block_weights, info.block_bytes, &bytes) ||
      __builtin_add_overflow(bytes, info.trailer_bytes, &bytes) || bytes > kGgufMaxBytes)
    return make_error(ErrorCode::kBadInput, "its size in bytes is beyond 2^62");
  return bytes;
}

Result<GgufTensors> read_tensors(ByteReader& reader, std::span<const std::byte> file,
                                 std::uint64_t count, std::uint64_t alignment) {
  std::vector<TensorInfo> infos;
  for (std::uint64_t i = 0; i < count; ++i) {
    BANKAI_ASSIGN_OR_RETURN(TensorInfo info, read_info(reader));
    infos.push_back(std::move(info));
  }
  GgufTensors result;
  result.data_offset = count == 0 ? file.size() : round_up(reader.offset(), alignment);
  if (result.data_offset > file.size())
    return make_error(ErrorCode::kBadInput,
                      "the tensor data starts at offset %" PRIu64
                      ", past the end of the file (%zu)",
                      result.data_offset, file.size());
  if (count == 0 && file.size() > round_up(reader.offset(), alignment))
    return make_error(ErrorCode::kBadInput,
                      "%zu bytes follow the metadata at offset %zu, but no tensor is listed",
                      reader.remaining(), reader.offset());
  Layout layout(file.subspan(static_cast<std::size_t>(result.data_offset)), result.data_offset,
                alignment);
  BANKAI_ASSIGN_OR_RETURN(result.tensors, layout.place(infos));
  return result;
}

}  // namespace bankai::model
