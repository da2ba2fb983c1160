#include "packer/pack_index.h"

#include <algorithm>
#include <set>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/format.h"
#include "core/sha256.h"
#include "model/gguf_tensor.h"
#include "packer/codec_table.h"

namespace bankai::packer {
namespace {

constexpr std::uint8_t kSkipsZeroGroups = 0x80;
constexpr std::uint8_t kHasShortGroups = 0x40;

unsigned long long printable(std::uint64_t value) { return value; }

void write_text(ByteWriter& out, std::string_view text) {
  out.write_varint(text.size());
  out.write_text(text);
}

void write_blob(ByteWriter& out, const PackBlob& blob) {
  out.write_varint(blob.plain_bytes);
  if (blob.plain_bytes == 0) return;
  out.write(blob.codec->id());
  out.write_varint(blob.stored_bytes);
  out.write_bytes(blob.checksum);
}

class IndexReader {
 public:
  explicit IndexReader(std::span<const std::byte> bytes) : reader_(bytes) {}

  Result<std::uint64_t> number(const char* what) { return reader_.read_varint(what); }

  // A count of things that take at least a byte each.
  Result<std::uint64_t> count(const char* what) {
    const std::size_t offset = reader_.offset();
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t count, reader_.read_varint(what));
    if (count > reader_.remaining())
      return make_error(ErrorCode::kBadInput, "%s at offset %zu is %llu, but only %zu bytes follow",
                        what, offset, printable(count), reader_.remaining());
    return count;
  }
  Result<std::uint32_t> number32(const char* what) {
    const std::size_t offset = reader_.offset();
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t value, reader_.read_varint(what));
    if (value > 0xffffffffU)
      return make_error(ErrorCode::kBadInput, "%s at offset %zu is %llu, beyond 32 bits", what,
                        offset, printable(value));
    return static_cast<std::uint32_t>(value);
  }
  Result<std::string> text(const char* what) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t size, reader_.read_varint(what));
    BANKAI_ASSIGN_OR_RETURN(const auto bytes, reader_.read_bytes(size, what));
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  Result<const Codec*> codec() {
    const std::size_t offset = reader_.offset();
    BANKAI_ASSIGN_OR_RETURN(const auto id, reader_.read<std::uint8_t>("a codec"));
    if (const Codec* codec = find_codec(id)) return codec;
    return make_error(ErrorCode::kUnsupported, "codec %u at offset %zu is not known", id, offset);
  }
  Result<PackChecksum> checksum() {
    PackChecksum sum;
    BANKAI_ASSIGN_OR_RETURN(const auto bytes, reader_.read_bytes(sum.size(), "a checksum"));
    std::copy(bytes.begin(), bytes.end(), sum.begin());
    return sum;
  }
  Result<PackBlob> blob(const char* what) {
    PackBlob blob;
    BANKAI_ASSIGN_OR_RETURN(blob.plain_bytes, number(what));
    if (blob.plain_bytes == 0) return blob;
    BANKAI_ASSIGN_OR_RETURN(blob.codec, codec());
    BANKAI_ASSIGN_OR_RETURN(blob.stored_bytes, number(what));
    BANKAI_ASSIGN_OR_RETURN(blob.checksum, checksum());
    return blob;
  }
  Result<ImageTensor> shape(std::string name, bool is_plain);
  Status type_of(ImageTensor& tensor, bool is_plain);
  Result<PackTensor> tensor();
  Status finish() const {
    if (reader_.remaining() == 0) return {};
    return make_error(ErrorCode::kBadInput, "%zu bytes too many at offset %zu", reader_.remaining(),
                      reader_.offset());
  }

 private:
  ByteReader reader_;
};

Status IndexReader::type_of(ImageTensor& tensor, bool is_plain) {
  BANKAI_ASSIGN_OR_RETURN(tensor.type_id, number32("a type id"));
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t type, number32("a type"));
  if (is_plain) {
    if (type == 0 || type > static_cast<std::uint32_t>(ArrayType::kI64) || type != tensor.type_id)
      return make_error(ErrorCode::kUnsupported, "array type %u (%u) is not known", type,
                        tensor.type_id);
    tensor.array = static_cast<ArrayType>(type);
    return {};
  }
  if (kernels::find_tensor_type(type) == nullptr)
    return make_error(ErrorCode::kUnsupported, "type %u is not known", type);
  tensor.type = static_cast<kernels::TensorType>(type);
  return {};
}

Result<ImageTensor> IndexReader::shape(std::string name, bool is_plain) {
  ImageTensor tensor{.name = std::move(name), .dims = {}};
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t dims, number("a number of dimensions"));
  if (dims == 0 || dims > model::kGgufMaxDims)
    return make_error(ErrorCode::kBadInput, "%llu dimensions, expected 1 to %u", printable(dims),
                      model::kGgufMaxDims);
  for (std::uint64_t i = 0; i < dims; ++i) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t dim, number("a dimension"));
    tensor.dims.push_back(dim);
  }
  BANKAI_RETURN_IF_ERROR(type_of(tensor, is_plain));
  return tensor;
}

Result<PackTensor> IndexReader::tensor() {
  const std::size_t offset = reader_.offset();
  BANKAI_ASSIGN_OR_RETURN(const auto form, reader_.read<std::uint8_t>("a form"));
  PackTensor tensor;
  tensor.split.skips_zero_groups = (form & kSkipsZeroGroups) != 0;
  tensor.split.has_short_groups = (form & kHasShortGroups) != 0;
  const unsigned plain = form & ~unsigned{kSkipsZeroGroups | kHasShortGroups};
  if (plain > static_cast<unsigned>(TensorForm::kIntegers))
    return make_error(ErrorCode::kBadInput, "form %u at offset %zu, expected at most %u", plain,
                      offset, static_cast<unsigned>(TensorForm::kIntegers));
  tensor.split.form = static_cast<TensorForm>(plain);
  BANKAI_ASSIGN_OR_RETURN(const auto parts, reader_.read<std::uint8_t>("a number of parts"));
  for (unsigned i = 0; i < parts; ++i) {
    PackTensor::Part part;
    BANKAI_ASSIGN_OR_RETURN(part.codec, codec());
    BANKAI_ASSIGN_OR_RETURN(part.bytes, number("the size of a payload"));
    tensor.parts.push_back(part);
  }
  return tensor;
}

Status read_head(IndexReader& reader, PackIndex& index) {
  BANKAI_ASSIGN_OR_RETURN(index.outline.version, reader.number32("the GGUF version"));
  BANKAI_ASSIGN_OR_RETURN(index.outline.alignment, reader.number("the alignment"));
  BANKAI_ASSIGN_OR_RETURN(index.outline.num_values, reader.number("the number of values"));
  BANKAI_ASSIGN_OR_RETURN(index.file_bytes, reader.number("the size of the model file"));
  BANKAI_ASSIGN_OR_RETURN(index.values, reader.blob("the metadata"));
  BANKAI_ASSIGN_OR_RETURN(index.gaps, reader.blob("the padding"));
  return {};
}

Status read_tensors(IndexReader& reader, std::uint64_t count, std::span<std::string> names,
                    PackIndex& index) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string& name = names[static_cast<std::size_t>(i)];
    const std::string context = "tensor " + quoted(name);
    auto shape = reader.shape(std::move(name), index.outline.is_plain());
    if (!shape.ok()) return with_context(std::move(shape).error(), context);
    auto tensor = reader.tensor();
    if (!tensor.ok()) return with_context(std::move(tensor).error(), context);
    index.outline.tensors.push_back(std::move(shape).value());
    index.tensors.push_back(std::move(tensor).value());
  }
  for (PackTensor& tensor : index.tensors) {
    BANKAI_ASSIGN_OR_RETURN(tensor.checksum, reader.checksum());
  }
  return {};
}

Status read_patches(IndexReader& reader, std::span<std::string> names, PackIndex& index) {
  std::set<std::string_view> seen;
  for (std::string& name : names) {
    BANKAI_RETURN_IF_ERROR(check_patch_name(name));
    if (!seen.insert(name).second)
      return make_error(ErrorCode::kBadInput, "patch %s appears twice", quoted(name).c_str());
    PackPatch patch{.name = name};
    BANKAI_ASSIGN_OR_RETURN(patch.bytes, reader.number("the size of a patch"));
    BANKAI_ASSIGN_OR_RETURN(patch.checksum, reader.checksum());
    index.patches.push_back(std::move(patch));
  }
  return {};
}

}  // namespace

PackChecksum checksum_of(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  const Sha256Digest digest = hash.finish();
  PackChecksum sum;
  std::copy_n(digest.begin(), sum.size(), sum.begin());
  return sum;
}

Status check_patch_name(std::string_view name) {
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
  if (!name.empty() && name.size() <= kMaxPatchName && is_plain) return {};
  return make_error(ErrorCode::kBadInput,
                    "patch name %s, expected 1 to %zu bytes without control characters",
                    quoted(name).c_str(), kMaxPatchName);
}

std::vector<std::byte> encode_index(const PackIndex& index) {
  ByteWriter out;
  const GgufOutline& outline = index.outline;
  out.write_varint(outline.version);
  out.write_varint(outline.alignment);
  out.write_varint(outline.num_values);
  out.write_varint(index.file_bytes);
  write_blob(out, index.values);
  write_blob(out, index.gaps);
  out.write_varint(index.tensors.size());
  out.write_varint(index.patches.size());
  for (const ImageTensor& tensor : outline.tensors) write_text(out, tensor.name);
  for (const PackPatch& patch : index.patches) write_text(out, patch.name);
  for (std::size_t i = 0; i < index.tensors.size(); ++i) {
    const ImageTensor& shape = outline.tensors[i];
    out.write_varint(shape.dims.size());
    for (const std::uint64_t dim : shape.dims) out.write_varint(dim);
    const bool is_array = shape.array != ArrayType::kNone;
    const auto array = static_cast<std::uint32_t>(shape.array);
    out.write_varint(is_array ? array : shape.type_id);
    out.write_varint(is_array ? array : static_cast<std::uint32_t>(shape.type));
    const PackTensor& tensor = index.tensors[i];
    out.write(static_cast<std::uint8_t>(static_cast<unsigned>(tensor.split.form) |
                                        (tensor.split.skips_zero_groups ? kSkipsZeroGroups : 0U) |
                                        (tensor.split.has_short_groups ? kHasShortGroups : 0U)));
    out.write(static_cast<std::uint8_t>(tensor.parts.size()));
    for (const PackTensor::Part& part : tensor.parts) {
      out.write(part.codec->id());
      out.write_varint(part.bytes);
    }
  }
  for (const PackTensor& tensor : index.tensors) out.write_bytes(tensor.checksum);
  for (const PackPatch& patch : index.patches) {
    out.write_varint(patch.bytes);
    out.write_bytes(patch.checksum);
  }
  return std::move(out).bytes();
}

Result<PackIndex> decode_index(std::span<const std::byte> bytes) {
  IndexReader reader(bytes);
  PackIndex index;
  BANKAI_RETURN_IF_ERROR(read_head(reader, index));
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t tensors, reader.count("the number of tensors"));
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t patches, reader.count("the number of patches"));
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < tensors + patches; ++i) {
    BANKAI_ASSIGN_OR_RETURN(std::string name, reader.text("a name"));
    names.push_back(std::move(name));
  }
  const std::span<std::string> all = names;
  BANKAI_RETURN_IF_ERROR(read_tensors(reader, tensors, all, index));
  BANKAI_RETURN_IF_ERROR(
      read_patches(reader, all.subspan(static_cast<std::size_t>(tensors)), index));
  BANKAI_RETURN_IF_ERROR(reader.finish());
  return index;
}

}  // namespace bankai::packer
