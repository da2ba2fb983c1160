#include "model/gguf_file.h"

#include <cinttypes>
#include <functional>
#include <utility>

#include "core/byte_reader.h"
#include "core/format.h"
#include "model/gguf_header.h"

namespace bankai::model {

Result<GgufFile> GgufFile::open(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::open(path));
  BANKAI_ASSIGN_OR_RETURN(GgufFile file, parse(mapping.bytes(), path));
  file.mapping_ = std::move(mapping);
  return file;
}

Result<GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::string name) {
  GgufFile file(bytes, std::move(name));
  if (Status status = file.read(); !status.ok())
    return with_context(std::move(status).error(), file.path_);
  return file;
}

Result<GgufFile> GgufFile::adopt(PageMemory memory, std::size_t bytes, std::string name) {
  BANKAI_ASSIGN_OR_RETURN(GgufFile file, parse(memory.bytes().first(bytes), std::move(name)));
  file.memory_ = std::move(memory);
  return file;
}

Status GgufFile::read() {
  ByteReader reader(bytes_);
  BANKAI_ASSIGN_OR_RETURN(const GgufPreamble preamble, read_preamble(reader));
  version_ = preamble.version;
  for (std::uint64_t i = 0; i < preamble.num_values; ++i) {
    BANKAI_ASSIGN_OR_RETURN(const GgufValue value, read_value(reader));
    metadata_.push_back(value);
  }
  BANKAI_RETURN_IF_ERROR(index_values());
  alignment_ = kGgufDefaultAlignment;
  if (const GgufValue* value = find_value(kGgufAlignmentKey)) {
    BANKAI_ASSIGN_OR_RETURN(alignment_, checked_alignment(*value));
  }
  BANKAI_ASSIGN_OR_RETURN(GgufTensors read,
                          read_tensors(reader, bytes_, preamble.num_tensors, alignment_));
  tensors_ = std::move(read.tensors);
  data_offset_ = read.data_offset;
  return index_tensors();
}

Status GgufFile::index_values() {
  for (std::size_t i = 0; i < metadata_.size(); ++i) {
    const auto [entry, is_new] = value_index_.emplace(metadata_[i].key, i);
    if (!is_new)
      return make_error(
          ErrorCode::kBadInput, "key %s appears twice: values at offsets %" PRIu64 " and %" PRIu64,
          quoted(entry->first).c_str(), metadata_[entry->second].offset, metadata_[i].offset);
  }
  return {};
}

Status GgufFile::index_tensors() {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const auto [entry, is_new] = tensor_index_.emplace(tensors_[i].name, i);
    if (!is_new)
      return make_error(ErrorCode::kBadInput,
                        "tensor %s appears twice: entries at offsets %" PRIu64 " and %" PRIu64,
                        quoted(entry->first).c_str(), tensors_[entry->second].info_offset,
                        tensors_[i].info_offset);
  }
  return {};
}

void GgufFile::release(std::span<const std::byte> part) const {
  constexpr std::less_equal<const std::byte*> is_before;
  const bool is_inside = is_before(bytes_.data(), part.data()) &&
                         is_before(part.data() + part.size(), bytes_.data() + bytes_.size());
  if (mapping_ && is_inside) mapping_->release(part);
}

const GgufValue* GgufFile::find_value(std::string_view key) const {
  const auto entry = value_index_.find(key);
  return entry == value_index_.end() ? nullptr : &metadata_[entry->second];
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto entry = tensor_index_.find(name);
  return entry == tensor_index_.end() ? nullptr : &tensors_[entry->second];
}

template <typename T, typename Decode>
Result<T> GgufFile::get(std::string_view key, std::optional<T> fallback, Decode decode) const {
  const GgufValue* value = find_value(key);
  if (value == nullptr) {
    if (fallback.has_value()) return *std::move(fallback);
    return make_error(ErrorCode::kBadInput, "%s: key %s is missing", path_.c_str(),
                      quoted(key).c_str());
  }
  auto decoded = (value->*decode)();
  if (!decoded.ok()) return with_context(std::move(decoded).error(), path_);
  return T(*decoded);
}

Result<std::uint64_t> GgufFile::get_unsigned(std::string_view key,
                                             std::optional<std::uint64_t> fallback) const {
  return get<std::uint64_t>(key, fallback, &GgufValue::as_unsigned);
}

Result<double> GgufFile::get_float(std::string_view key, std::optional<double> fallback) const {
  return get<double>(key, fallback, &GgufValue::as_float);
}

Result<bool> GgufFile::get_bool(std::string_view key, std::optional<bool> fallback) const {
  return get<bool>(key, fallback, &GgufValue::as_bool);
}

Result<std::string> GgufFile::get_string(std::string_view key,
                                         std::optional<std::string> fallback) const {
  return get<std::string>(key, std::move(fallback), &GgufValue::as_string);
}

}  // namespace bankai::model
