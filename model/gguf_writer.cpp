#include "model/gguf_writer.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "core/format.h"
#include "model/gguf_file.h"
#include "model/gguf_header.h"
#include "model/gguf_tensor.h"

namespace bankai::model {
namespace {

Status write_zeros(AtomicFile& file, std::uint64_t count) {
  static constexpr std::array<std::byte, 4096> kZeros{};
  while (count > 0) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(count, kZeros.size()));
    BANKAI_RETURN_IF_ERROR(file.write(std::span(kZeros).first(part)));
    count -= part;
  }
  return {};
}

ByteWriter encode_preamble(std::uint32_t version, std::uint64_t num_tensors,
                           std::uint64_t num_values) {
  ByteWriter writer;
  writer.write_text(kGgufMagic);
  writer.write(version);
  writer.write(num_tensors);
  writer.write(num_values);
  return writer;
}

// The size of a tensor that will start at `offset` of the data.
Result<std::uint64_t> checked_bytes(const GgufTensorSpec& tensor, std::uint64_t offset) {
  BANKAI_RETURN_IF_ERROR(check_tensor_name(tensor.name));
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t bytes, tensor_bytes(tensor.type, tensor.dims));
  if (offset > kGgufMaxBytes || bytes > kGgufMaxBytes - offset)
    return make_error(ErrorCode::kBadInput, "all tensors together are beyond 2^62 bytes");
  return bytes;
}

void write_info(ByteWriter& header, const GgufTensorSpec& tensor, std::uint64_t offset) {
  header.write(static_cast<std::uint64_t>(tensor.name.size()));
  header.write_text(tensor.name);
  header.write(static_cast<std::uint32_t>(tensor.dims.size()));
  for (const std::uint64_t dim : tensor.dims) header.write(dim);
  header.write(tensor.type_id.value_or(static_cast<std::uint32_t>(tensor.type)));
  header.write(offset);
}

}  // namespace

struct GgufBuilder::Layout {
  std::vector<std::byte> header;
  std::vector<std::uint64_t> tensor_bytes;
  std::uint64_t alignment = 0;
};

Status GgufTensorSink::write(std::span<const std::byte> bytes) {
  if (bytes.size() > remaining_)
    return make_error(ErrorCode::kInternal, "%zu bytes for a tensor that lacks %llu only",
                      bytes.size(), static_cast<unsigned long long>(remaining_));
  remaining_ -= bytes.size();
  return file_.write(bytes);
}

void GgufBuilder::add_string(std::string_view key, std::string_view text) {
  begin_value(key, GgufType::kString);
  write_text(text);
}

void GgufBuilder::add_strings(std::string_view key, std::span<const std::string> texts) {
  begin_array(key, GgufType::kString, texts.size());
  for (const std::string& text : texts) write_text(text);
}

void GgufBuilder::add_value(const GgufValue& value) {
  if (value.type == GgufType::kArray)
    begin_array(value.key, value.element_type, value.count);
  else
    begin_value(value.key, value.type);
  values_.write_bytes(value.bytes);
}

void GgufBuilder::begin_value(std::string_view key, GgufType type) {
  ++num_values_;
  write_text(key);
  values_.write(static_cast<std::uint32_t>(type));
}

void GgufBuilder::begin_array(std::string_view key, GgufType element_type, std::uint64_t count) {
  begin_value(key, GgufType::kArray);
  values_.write(static_cast<std::uint32_t>(element_type));
  values_.write(count);
}

void GgufBuilder::write_text(std::string_view text) {
  values_.write(static_cast<std::uint64_t>(text.size()));
  values_.write_text(text);
}

Result<GgufBuilder::Layout> GgufBuilder::layout() const {
  // The metadata as a file without tensors: our own reader says whether it is sound.
  ByteWriter metadata = encode_preamble(version_, 0, num_values_);
  metadata.write_bytes(values_.bytes());
  BANKAI_ASSIGN_OR_RETURN(const GgufFile checked, GgufFile::parse(metadata.bytes(), "new GGUF"));

  Layout result;
  result.alignment = checked.alignment();
  ByteWriter header = encode_preamble(version_, tensors_.size(), num_values_);
  header.write_bytes(values_.bytes());
  std::set<std::string_view> names;
  std::uint64_t offset = 0;
  for (const GgufTensorSpec& tensor : tensors_) {
    const auto bytes = checked_bytes(tensor, offset);
    if (!bytes.ok()) return with_context(bytes.error(), "tensor " + quoted(tensor.name));
    if (!names.insert(tensor.name).second)
      return make_error(ErrorCode::kBadInput, "tensor %s: added twice",
                        quoted(tensor.name).c_str());
    write_info(header, tensor, offset);
    result.tensor_bytes.push_back(*bytes);
    offset += round_up(*bytes, result.alignment);
  }
  if (!tensors_.empty()) {
    const std::size_t data_offset = round_up(header.size(), result.alignment);
    header.write_zeros(data_offset - header.size());
  }
  result.header = std::move(header).bytes();
  return result;
}

Result<std::vector<std::byte>> GgufBuilder::header() const {
  BANKAI_ASSIGN_OR_RETURN(Layout result, layout());
  return std::move(result.header);
}

Status GgufBuilder::write(const std::string& path, Overwrite overwrite,
                          const TensorSource& source) const {
  BANKAI_ASSIGN_OR_RETURN(const Layout plan, layout());
  BANKAI_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, overwrite));
  BANKAI_RETURN_IF_ERROR(file.write(plan.header));
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const std::uint64_t bytes = plan.tensor_bytes[i];
    GgufTensorSink sink(file, bytes);
    BANKAI_RETURN_IF_ERROR(source(i, sink));
    if (sink.remaining() != 0)
      return make_error(ErrorCode::kInternal, "tensor %s came out %llu bytes short",
                        quoted(tensors_[i].name).c_str(),
                        static_cast<unsigned long long>(sink.remaining()));
    BANKAI_RETURN_IF_ERROR(write_zeros(file, round_up(bytes, plan.alignment) - bytes));
  }
  return file.commit();
}

}  // namespace bankai::model
