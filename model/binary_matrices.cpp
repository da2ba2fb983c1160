#include "model/binary_matrices.h"

#include "model/bit1_file.h"

namespace bankai::model {
namespace {

constexpr std::byte kScaleOne[] = {std::byte{0x00}, std::byte{0x3c}};  // fp16, little-endian

// Rows of whole 64-bit words: two words are a group.
template <typename Byte>
std::optional<BasicBitMatrixView<Byte>> view_of_words(Byte* words, Byte* scale, std::size_t rows,
                                                      std::size_t cols) {
  if (cols % kGroupCols != 0) return std::nullopt;
  return BasicBitMatrixView<Byte>(words, scale, rows, cols, {cols / 8, kGroupBitBytes, 0, 0});
}

// The member of a layer that a projection stands for.
template <typename Layer>
auto part_of_layer(const Layer& layer, Projection projection) -> decltype(&layer.q.weights) {
  switch (projection) {
    case Projection::kQuery: return &layer.q.weights;
    case Projection::kKey: return &layer.k.weights;
    case Projection::kValue: return &layer.v.weights;
    case Projection::kOutput: return &layer.o.weights;
    case Projection::kGate: return &layer.gate.weights;
    case Projection::kUp: return &layer.up.weights;
    case Projection::kDown: return &layer.down.weights;
    case Projection::kEmbedding:
    case Projection::kHead: break;
  }
  return nullptr;
}

template <typename Layer>
const BinaryMatrix* find_in_layers(const std::vector<Layer>& layers, TensorAddress address) {
  if (address.layer >= layers.size()) return nullptr;
  return part_of_layer(layers[address.layer], address.projection);
}

std::vector<Bit1File::Matrix> locate_matrices(const BinaryShape& shape) {
  constexpr Projection kOrder[] = {Projection::kQuery,  Projection::kKey,  Projection::kValue,
                                   Projection::kOutput, Projection::kGate, Projection::kUp,
                                   Projection::kDown};
  std::vector<Bit1File::Matrix> matrices;
  std::size_t offset = kBit1HeaderBytes;
  const auto add = [&](TensorAddress address, std::size_t rows, std::size_t cols) {
    matrices.push_back({address, offset, rows, cols});
    offset += rows * BinaryMatrix::words_of(cols) * sizeof(std::uint64_t);
  };
  add({0, Projection::kEmbedding}, shape.vocabulary, shape.width);
  for (std::uint32_t layer = 0; layer < shape.num_layers; ++layer) {
    offset += shape.num_heads * sizeof(std::int32_t);
    const BinaryLayer none;
    std::size_t part = 0;
    for_each_linear(shape, none,
                    [&](const char*, const BinaryLinear&, std::size_t rows, std::size_t cols) {
                      add({layer, kOrder[part++]}, rows, cols);
                      offset += rows * sizeof(std::int32_t);
                    });
  }
  add({0, Projection::kHead}, shape.vocabulary, shape.width);
  return matrices;
}

}  // namespace

const BinaryMatrix* find_binary_matrix(const BinaryModel& model, TensorAddress address) {
  if (address.projection == Projection::kEmbedding || address.projection == Projection::kHead) {
    if (address.layer != 0) return nullptr;
    return address.projection == Projection::kHead ? &model.codebook : &model.embedding;
  }
  return find_in_layers(model.layers, address);
}

const BinaryMatrix* find_binary_matrix(const BinaryResidualModel& model, TensorAddress address) {
  if (address == TensorAddress{0, Projection::kHead}) return &model.output.weights;
  return find_in_layers(model.layers, address);
}

std::optional<BitMatrixView> bit_view(const BinaryMatrix* matrix) {
  if (matrix == nullptr) return std::nullopt;
  return view_of_words(std::as_bytes(std::span(matrix->bits)).data(), kScaleOne, matrix->rows,
                       matrix->cols);
}

std::optional<MutableBitMatrixView> mutable_bit_view(BinaryMatrix* matrix) {
  if (matrix == nullptr) return std::nullopt;
  // A view never writes scales; it only has one type for both pointers.
  return view_of_words(std::as_writable_bytes(std::span(matrix->bits)).data(),
                       const_cast<std::byte*>(kScaleOne), matrix->rows, matrix->cols);
}

Result<Bit1File> Bit1File::open(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
  BANKAI_ASSIGN_OR_RETURN(const BinaryModel model, parse_bit1(file.bytes(), path));
  return Bit1File(std::move(file), locate_matrices(model.shape));
}

std::optional<BitMatrixView> Bit1File::bit_view(TensorAddress address) const {
  for (const Matrix& matrix : matrices_)
    if (matrix.address == address)
      return view_of_words(bytes().data() + matrix.offset, kScaleOne, matrix.rows, matrix.cols);
  return std::nullopt;
}

}  // namespace bankai::model
