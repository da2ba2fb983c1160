// The ±1 matrices of binary models as the 1-bit matrices that patches and searches address: every
// group has the scale 1. Addresses are those of every other model; embedding and codebook are
// kEmbedding and kHead of layer 0.
//
// Groups have 128 columns, so a matrix whose width is not a multiple of 128 has no view.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/bit_matrix.h"
#include "core/mapped_file.h"
#include "core/result.h"
#include "core/tensor_address.h"
#include "model/binary_model.h"
#include "model/binary_residual_model.h"

namespace bankai::model {

// Null for addresses that the model does not have.
const BinaryMatrix* find_binary_matrix(const BinaryModel& model, TensorAddress address);
// Of the layers and the output; its embedding is not binary.
const BinaryMatrix* find_binary_matrix(const BinaryResidualModel& model, TensorAddress address);

// Views of a matrix in memory, which must outlive them; nothing for null.
std::optional<BitMatrixView> bit_view(const BinaryMatrix* matrix);
std::optional<MutableBitMatrixView> mutable_bit_view(BinaryMatrix* matrix);

// The same of a model that may be changed.
template <typename Model>
std::optional<MutableBitMatrixView> mutable_bit_view(Model& model, TensorAddress address) {
  return mutable_bit_view(const_cast<BinaryMatrix*>(find_binary_matrix(model, address)));
}

// A mapped BIT1 file and where its matrices lie.
class Bit1File {
 public:
  struct Matrix {
    TensorAddress address;
    std::size_t offset = 0;  // of its first row in the file
    std::size_t rows = 0;
    std::size_t cols = 0;
  };

  // Errors: those of read_bit1.
  static Result<Bit1File> open(const std::string& path);

  const std::string& path() const { return file_.path(); }
  std::span<const std::byte> bytes() const { return file_.bytes(); }
  // In the order of the file.
  const std::vector<Matrix>& matrices() const { return matrices_; }
  // Valid as long as this object.
  std::optional<BitMatrixView> bit_view(TensorAddress address) const;

 private:
  Bit1File(MappedFile file, std::vector<Matrix> matrices)
      : file_(std::move(file)), matrices_(std::move(matrices)) {}

  MappedFile file_;
  std::vector<Matrix> matrices_;
};

}  // namespace bankai::model
