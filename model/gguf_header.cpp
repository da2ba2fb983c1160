#include "model/gguf_header.h"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <string>

#include "core/format.h"

namespace bankai::model {
namespace {

// What every entry has at least: the lengths and numbers of fixed size around a key (with a value
// of one byte) and around a tensor name.
constexpr std::uint64_t kMinValueBytes = 8 + 4 + 1;
constexpr std::uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Error not_gguf(std::string_view start) {
  if (start.empty()) return make_error(ErrorCode::kBadInput, "the file is empty");
  if (start.starts_with('<'))
    return make_error(ErrorCode::kBadInput,
                      "starts with '<': a web page saved in place of the model?");
  if (start.starts_with("version https://git-lfs"))
    return make_error(ErrorCode::kBadInput,
                      "a Git LFS pointer, not the model itself: fetch the file with git lfs");
  return make_error(ErrorCode::kBadInput, "not a GGUF file: starts with %s, expected 'GGUF'",
                    quoted(start.substr(0, kGgufMagic.size())).c_str());
}

std::uint32_t swap_bytes(std::uint32_t x) {
  return x >> 24U | (x >> 8U & 0xff00U) | (x << 8U & 0xff0000U) | x << 24U;
}

Status check_version(std::uint32_t version) {
  if (version == 2 || version == 3) return {};
  if (version != 0 && (version & 0xffffU) == 0)
    return make_error(ErrorCode::kUnsupported,
                      "a big-endian GGUF file (version %" PRIu32
                      " with its bytes swapped); only little-endian files can be read",
                      swap_bytes(version));
  return make_error(ErrorCode::kUnsupported,
                    "GGUF version %" PRIu32 " at offset 4, expected 2 or 3", version);
}

Status check_count(std::uint64_t count, std::uint64_t min_bytes, const ByteReader& reader,
                   const char* what) {
  const std::uint64_t most = reader.remaining() / min_bytes;
  if (count <= most) return {};
  return make_error(ErrorCode::kBadInput,
                    "declares %" PRIu64
                    " %s, but the %zu bytes after the counts hold at most %" PRIu64,
                    count, what, reader.remaining(), most);
}

Result<GgufType> read_type(ByteReader& reader) {
  const std::size_t offset = reader.offset();
  BANKAI_ASSIGN_OR_RETURN(const auto id, reader.read<std::uint32_t>("a value type"));
  if (id < kGgufTypes.size()) return static_cast<GgufType>(id);
  return make_error(ErrorCode::kBadInput, "value type %" PRIu32 " at offset %zu, expected 0 to 12",
                    id, offset);
}

Status check_bools(std::span<const std::byte> bytes, std::size_t offset) {
  const auto wrong =
      std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b > std::byte{1}; });
  if (wrong == bytes.end()) return {};
  return make_error(ErrorCode::kBadInput, "bool %u at offset %zu, expected 0 or 1",
                    std::to_integer<unsigned>(*wrong),
                    offset + static_cast<std::size_t>(wrong - bytes.begin()));
}

// Moves the reader over `count` values of one type, which is not an array.
Status skip_values(ByteReader& reader, GgufType type, std::uint64_t count) {
  // A string has at least its length.
  const std::uint64_t min_bytes =
      type == GgufType::kString ? sizeof(std::uint64_t) : gguf_type_info(type).bytes;
  if (count > reader.remaining() / min_bytes)
    return make_error(ErrorCode::kBadInput,
                      "%" PRIu64 " values of type %s at offset %zu do not fit the %zu bytes left",
                      count, gguf_type_info(type).name, reader.offset(), reader.remaining());
  if (type == GgufType::kString) {
    for (std::uint64_t i = 0; i < count; ++i) BANKAI_RETURN_IF_ERROR(read_text(reader, "a string"));
    return {};
  }
  const std::size_t offset = reader.offset();
  BANKAI_ASSIGN_OR_RETURN(const auto bytes, reader.read_bytes(count * min_bytes, "values"));
  return type == GgufType::kBool ? check_bools(bytes, offset) : Status();
}

Status read_typed_value(ByteReader& reader, GgufValue& value) {
  BANKAI_ASSIGN_OR_RETURN(value.type, read_type(reader));
  value.element_type = value.type;
  if (value.type == GgufType::kArray) {
    const std::size_t offset = reader.offset();
    BANKAI_ASSIGN_OR_RETURN(value.element_type, read_type(reader));
    if (value.element_type == GgufType::kArray)
      return make_error(ErrorCode::kUnsupported, "an array of arrays at offset %zu", offset);
    BANKAI_ASSIGN_OR_RETURN(value.count, reader.read<std::uint64_t>("an element count"));
  }
  ByteReader start = reader;
  BANKAI_RETURN_IF_ERROR(skip_values(reader, value.element_type, value.count));
  value.offset = start.offset();
  BANKAI_ASSIGN_OR_RETURN(value.bytes,
                          start.read_bytes(reader.offset() - start.offset(), "a value"));
  return {};
}

}  // namespace

Result<GgufPreamble> read_preamble(ByteReader& reader) {
  ByteReader start = reader;
  const std::size_t readable = std::min<std::size_t>(reader.remaining(), 64);
  BANKAI_ASSIGN_OR_RETURN(const auto bytes, start.read_bytes(readable, "the start of the file"));
  if (!as_text(bytes).starts_with(kGgufMagic)) return not_gguf(as_text(bytes));
  BANKAI_RETURN_IF_ERROR(reader.read<std::uint32_t>("the magic"));
  GgufPreamble preamble;
  BANKAI_ASSIGN_OR_RETURN(preamble.version, reader.read<std::uint32_t>("the version"));
  BANKAI_RETURN_IF_ERROR(check_version(preamble.version));
  BANKAI_ASSIGN_OR_RETURN(preamble.num_tensors, reader.read<std::uint64_t>("the tensor count"));
  BANKAI_ASSIGN_OR_RETURN(preamble.num_values, reader.read<std::uint64_t>("the metadata count"));
  BANKAI_RETURN_IF_ERROR(check_count(preamble.num_values, kMinValueBytes, reader, "metadata keys"));
  BANKAI_RETURN_IF_ERROR(check_count(preamble.num_tensors, kMinTensorBytes, reader, "tensors"));
  return preamble;
}

Result<GgufValue> read_value(ByteReader& reader) {
  const std::size_t offset = reader.offset();
  GgufValue value;
  BANKAI_ASSIGN_OR_RETURN(value.key, read_text(reader, "a key"));
  if (value.key.empty())
    return make_error(ErrorCode::kBadInput, "the key at offset %zu is empty", offset);
  if (value.key.size() > kGgufMaxKeyBytes)
    return make_error(ErrorCode::kBadInput,
                      "the key at offset %zu has %zu bytes, expected at most %zu", offset,
                      value.key.size(), kGgufMaxKeyBytes);
  if (value.key.find('\0') != std::string_view::npos)
    return make_error(ErrorCode::kBadInput, "the key %s at offset %zu contains a zero byte",
                      quoted(value.key).c_str(), offset);
  if (Status status = read_typed_value(reader, value); !status.ok())
    return with_context(std::move(status).error(), "key " + quoted(value.key));
  return value;
}

Result<std::string_view> read_text(ByteReader& reader, const char* what) {
  BANKAI_ASSIGN_OR_RETURN(const auto length, reader.read<std::uint64_t>("the length of a string"));
  BANKAI_ASSIGN_OR_RETURN(const auto bytes, reader.read_bytes(length, what));
  return as_text(bytes);
}

Result<std::uint64_t> checked_alignment(const GgufValue& value) {
  const std::string where = format("key 'general.alignment' at offset %" PRIu64, value.offset);
  if (value.type != GgufType::kU32)
    return make_error(ErrorCode::kBadInput, "%s has type %s, expected u32", where.c_str(),
                      gguf_type_info(value.type).name);
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t alignment, value.as_unsigned());
  if (alignment < 8 || !std::has_single_bit(alignment))
    return make_error(ErrorCode::kBadInput, "%s is %" PRIu64 ", expected a power of two from 8 up",
                      where.c_str(), alignment);
  return alignment;
}

}  // namespace bankai::model
