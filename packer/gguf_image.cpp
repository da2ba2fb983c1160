#include "packer/gguf_image.h"

#include "core/byte_writer.h"
#include "core/format.h"
#include "model/gguf_header.h"
#include "model/gguf_tensor.h"

namespace bankai::packer {
namespace {

constexpr std::uint64_t kPreambleBytes = 24;  // magic, version, two counts
constexpr std::uint64_t kMaxAlignment = std::uint64_t{1} << 31U;

Status check_outline(const GgufOutline& outline) {
  if (outline.is_plain()) {
    if (outline.alignment == 1 && outline.num_values == 0) return {};
    return make_error(ErrorCode::kBadInput,
                      "a plain file with an alignment of %llu and %llu values, expected 1 and 0",
                      static_cast<unsigned long long>(outline.alignment),
                      static_cast<unsigned long long>(outline.num_values));
  }
  if (outline.version != 2 && outline.version != 3)
    return make_error(ErrorCode::kBadInput, "GGUF version %u, expected 2 or 3", outline.version);
  const std::uint64_t alignment = outline.alignment;
  if (alignment < 8 || alignment > kMaxAlignment || (alignment & (alignment - 1)) != 0)
    return make_error(ErrorCode::kBadInput,
                      "an alignment of %llu, expected a power of two from 8 to 2^31",
                      static_cast<unsigned long long>(alignment));
  return {};
}

std::uint64_t entry_bytes(const ImageTensor& tensor) {
  return 8 + tensor.name.size() + 4 + 8 * tensor.dims.size() + 4 + 8;
}

Result<TensorShape> checked_shape(const ImageTensor& tensor) {
  Status status = model::check_tensor_name(tensor.name);
  if (!status.ok()) return std::move(status).error();
  if (tensor.array != ArrayType::kNone) return array_shape(tensor.array, tensor.dims);
  return tensor_shape(tensor.type, tensor.dims);
}

}  // namespace

GgufOutline outline_of(const model::GgufFile& file) {
  GgufOutline outline{file.version(), file.alignment(), file.metadata().size(), {}};
  for (const model::GgufTensor& tensor : file.tensors())
    outline.tensors.push_back({std::string(tensor.name), tensor.dims, tensor.type, tensor.type_id});
  return outline;
}

std::span<const std::byte> encoded_values(const model::GgufFile& file) {
  std::uint64_t end = kPreambleBytes;
  if (!file.metadata().empty()) {
    const model::GgufValue& last = file.metadata().back();
    end = last.offset + last.bytes.size();
  }
  if (!file.tensors().empty()) end = file.tensors().front().info_offset;
  return file.bytes().subspan(kPreambleBytes, static_cast<std::size_t>(end - kPreambleBytes));
}

Result<GgufLayout> GgufLayout::make(const GgufOutline& outline, std::uint64_t value_bytes) {
  BANKAI_RETURN_IF_ERROR(check_outline(outline));
  const auto too_large = [] {
    return make_error(ErrorCode::kBadInput, "the sizes add up to more than 2^62 bytes");
  };
  if (value_bytes > model::kGgufMaxBytes) return too_large();
  GgufLayout layout;
  layout.header_bytes_ = value_bytes;
  if (!outline.is_plain()) {
    layout.header_bytes_ += kPreambleBytes;
    for (const ImageTensor& tensor : outline.tensors) layout.header_bytes_ += entry_bytes(tensor);
  }
  layout.end_ = layout.header_bytes_;
  for (const ImageTensor& tensor : outline.tensors) {
    auto shape = checked_shape(tensor);
    if (!shape.ok()) return with_context(std::move(shape).error(), "tensor " + quoted(tensor.name));
    const std::uint64_t offset = model::round_up(layout.end_, outline.alignment);
    layout.shapes_.push_back(*shape);
    layout.offsets_.push_back(offset);
    layout.end_ = offset + shape->bytes;  // both are at most 2^62
    if (layout.end_ > model::kGgufMaxBytes) return too_large();
  }
  layout.padded_end_ = model::round_up(layout.end_, outline.alignment);
  return layout;
}

std::vector<GgufLayout::Gap> GgufLayout::gaps(std::uint64_t file_bytes) const {
  std::vector<Gap> gaps;
  std::uint64_t at = header_bytes_;
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    if (offsets_[i] > at) gaps.push_back({at, offsets_[i] - at});
    at = offsets_[i] + shapes_[i].bytes;
  }
  if (file_bytes > at) gaps.push_back({at, file_bytes - at});
  return gaps;
}

std::vector<std::byte> gguf_header(const GgufOutline& outline, std::span<const std::byte> values,
                                   const GgufLayout& layout) {
  if (outline.is_plain()) return {values.begin(), values.end()};
  ByteWriter out;
  out.write_text(model::kGgufMagic);
  out.write(outline.version);
  out.write<std::uint64_t>(outline.tensors.size());
  out.write(outline.num_values);
  out.write_bytes(values);
  for (std::size_t i = 0; i < outline.tensors.size(); ++i) {
    const ImageTensor& tensor = outline.tensors[i];
    out.write<std::uint64_t>(tensor.name.size());
    out.write_text(tensor.name);
    out.write(static_cast<std::uint32_t>(tensor.dims.size()));
    for (const std::uint64_t dim : tensor.dims) out.write(dim);
    out.write(tensor.type_id);
    out.write(layout.offset(i) - layout.offset(0));
  }
  return std::move(out).bytes();
}

}  // namespace bankai::packer
