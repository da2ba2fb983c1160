#include "packer/bit1_source.h"

#include <cstdint>
#include <utility>

#include "core/check.h"
#include "core/format.h"
#include "model/bit1_file.h"

namespace bankai::packer {
namespace {

using model::BinaryMatrix;

void add_bits(GgufOutline& outline, const std::string& name, std::size_t rows, std::size_t cols) {
  outline.tensors.push_back(
      {.name = name, .dims = {64 * BinaryMatrix::words_of(cols), rows}, .array = ArrayType::kBits});
}

void add_integers(GgufOutline& outline, const std::string& name, std::size_t count,
                  ArrayType array) {
  outline.tensors.push_back({.name = name, .dims = {count}, .array = array});
}

// Everything behind the header, in file order.
GgufOutline outline_of_shape(const model::BinaryShape& shape) {
  GgufOutline outline{.version = kPlainFile, .alignment = 1, .num_values = 0, .tensors = {}};
  add_bits(outline, "embedding", shape.vocabulary, shape.width);
  const model::BinaryLayer none;
  for (std::size_t layer = 0; layer < shape.num_layers; ++layer) {
    const std::string prefix = format("%zu.", layer);
    add_integers(outline, prefix + "slopes", shape.num_heads, ArrayType::kI32);
    model::for_each_linear(
        shape, none, [&](const char* name, const auto&, std::size_t rows, std::size_t cols) {
          add_bits(outline, prefix + name, rows, cols);
          add_integers(outline, prefix + name + ".threshold", rows, ArrayType::kI32);
        });
  }
  add_bits(outline, "codebook", shape.vocabulary, shape.width);
  add_integers(outline, "bias", shape.vocabulary, ArrayType::kI64);
  return outline;
}

}  // namespace

Result<PackSource> bit1_source(std::span<const std::byte> bytes, const std::string& name) {
  BANKAI_ASSIGN_OR_RETURN(const model::BinaryModel model, model::parse_bit1(bytes, name));
  PackSource source{.outline = outline_of_shape(model.shape),
                    .values = bytes.first(model::kBit1HeaderBytes),
                    .gaps = {},
                    .file_bytes = bytes.size(),
                    .data = {},
                    .measured = {}};
  BANKAI_ASSIGN_OR_RETURN(GgufLayout layout,
                          GgufLayout::make(source.outline, model::kBit1HeaderBytes));
  BANKAI_CHECK(layout.end() == bytes.size(), "the arrays of a BIT1 file do not fill it");
  source.data = [bytes, layout = std::move(layout)](
                    std::size_t tensor) -> Result<std::span<const std::byte>> {
    return bytes.subspan(static_cast<std::size_t>(layout.offset(tensor)),
                         static_cast<std::size_t>(layout.shape(tensor).bytes));
  };
  return source;
}

}  // namespace bankai::packer
