#include "tests/support/gguf_builder.h"

#include <utility>

namespace bankai::testing {
namespace {

void write_string(ByteWriter& writer, std::string_view text) {
  writer.write(std::uint64_t{text.size()});
  writer.write_text(text);
}

std::size_t padding(std::size_t size, std::uint64_t alignment) {
  return static_cast<std::size_t>((alignment - size % alignment) % alignment);
}

}  // namespace

std::vector<std::byte> gguf_string(std::string_view text) {
  ByteWriter writer;
  write_string(writer, text);
  return std::move(writer).bytes();
}

GgufImage& GgufImage::value(std::string_view key, std::uint32_t type,
                            std::span<const std::byte> payload) {
  ++num_values_;
  write_string(values_, key);
  values_.write(type);
  values_.write_bytes(payload);
  return *this;
}

GgufImage& GgufImage::array(std::string_view key, std::uint32_t element_type, std::uint64_t count,
                            std::span<const std::byte> elements) {
  ByteWriter payload;
  payload.write(element_type);
  payload.write(count);
  payload.write_bytes(elements);
  return value(key, kGgufArray, payload.bytes());
}

GgufImage& GgufImage::string(std::string_view key, std::string_view text) {
  return value(key, kGgufString, gguf_string(text));
}

GgufImage& GgufImage::strings(std::string_view key, const std::vector<std::string>& texts) {
  ByteWriter elements;
  for (const std::string& text : texts) write_string(elements, text);
  return array(key, kGgufString, texts.size(), elements.bytes());
}

GgufImage& GgufImage::raw_value(std::span<const std::byte> bytes) {
  ++num_values_;
  values_.write_bytes(bytes);
  return *this;
}

GgufImage& GgufImage::set_alignment(std::uint32_t bytes) {
  alignment = bytes;
  return u32("general.alignment", bytes);
}

GgufImage& GgufImage::tensor(RawTensor tensor) {
  tensors.push_back(std::move(tensor));
  return *this;
}

GgufImage& GgufImage::tensor(std::string name, std::vector<std::uint64_t> dims, std::uint32_t type,
                             std::size_t num_bytes) {
  std::vector<std::byte> data(num_bytes);
  for (std::size_t i = 0; i < num_bytes; ++i) data[i] = static_cast<std::byte>(i + 1);
  return tensor({std::move(name), std::move(dims), type, std::move(data)});
}

std::vector<std::byte> GgufImage::build() const {
  ByteWriter file;
  file.write_text(magic);
  file.write(version);
  file.write(declared_num_tensors.value_or(tensors.size()));
  file.write(declared_num_values.value_or(num_values_));
  file.write_bytes(values_.bytes());
  std::uint64_t offset = 0;
  for (const RawTensor& tensor : tensors) {
    file.write(tensor.declared_name_bytes.value_or(tensor.name.size()));
    file.write_text(tensor.name);
    file.write(tensor.declared_num_dims.value_or(static_cast<std::uint32_t>(tensor.dims.size())));
    for (const std::uint64_t dim : tensor.dims) file.write(dim);
    file.write(tensor.type);
    file.write(tensor.declared_offset.value_or(offset));
    offset += tensor.data.size() + padding(tensor.data.size(), alignment);
  }
  if (!tensors.empty()) file.write_zeros(padding(file.size(), alignment));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    file.write_bytes(tensors[i].data);
    if (i + 1 < tensors.size() || pads_last_tensor)
      file.write_zeros(padding(tensors[i].data.size(), alignment));
  }
  return std::move(file).bytes();
}

GgufImage small_gguf() {
  GgufImage image;
  image.string("general.architecture", "qwen3")
      .number<std::uint8_t>("t.u8", kGgufU8, 200)
      .number<std::int8_t>("t.i8", kGgufI8, -100)
      .number<std::uint16_t>("t.u16", kGgufU16, 60000)
      .number<std::int16_t>("t.i16", kGgufI16, -30000)
      .u32("t.u32", 4000000000U)
      .number<std::int32_t>("t.i32", kGgufI32, -2000000000)
      .number<float>("t.f32", kGgufF32, 1.5F)
      .number<std::uint8_t>("t.bool", kGgufBool, 1)
      .number<std::uint64_t>("t.u64", kGgufU64, std::uint64_t{1} << 63U)
      .number<std::int64_t>("t.i64", kGgufI64, -(std::int64_t{1} << 40U))
      .number<double>("t.f64", kGgufF64, -0.25)
      .strings("t.strings", {"", "a", "two words"})
      .array("t.empty", kGgufF32, 0, {});
  ByteWriter integers;
  for (const std::int32_t x : {3, -1, 7}) integers.write(x);
  image.array("t.integers", kGgufI32, 3, integers.bytes());
  image.tensor("matrix.weight", {128, 3}, 41, 54)
      .tensor("norm.weight", {5}, 0, 20)
      .tensor("half.weight", {3, 2}, 1, 12)
      .tensor("brain.weight", {2, 1, 2}, 30, 8)
      .tensor("trits.weight", {256}, 34, 54)
      .tensor("ternary.weight", {256}, 35, 66)
      .tensor("scaled.weight", {128}, 36, 64)
      .tensor("pairs.weight", {64, 18}, 42, 324)
      .tensor("wide.weight", {128}, 142, 34)
      .tensor("bytes.weight", {32, 1, 1, 2}, 8, 68);
  return image;
}

}  // namespace bankai::testing
