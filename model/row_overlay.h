// Rows of weight matrices that a forward pass reads instead of the model's own: how flips act on an
// evaluation while the mapped weights stay untouched. An overlay is a value of its caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "core/tensor_address.h"
#include "model/model.h"

namespace bankai::model {

class RowOverlay {
 public:
  // XOR on bits of a Q1_0 row; scales stay. Flipping twice restores the row (it then equals the
  // model's own and leaves the overlay). REQUIRES: the address names a Q1_0 matrix, indices inside.
  void flip_row(const Model& model, TensorAddress address, std::size_t row);
  void flip_group(const Model& model, TensorAddress address, std::size_t row, std::size_t group);
  void flip_bit(const Model& model, TensorAddress address, std::size_t row, std::size_t col);

  // Puts `bytes`, in the layout of the model's own row, in its place. REQUIRES: as many, and a row
  // of a packed matrix.
  void replace_row(const Model& model, TensorAddress address, std::size_t row,
                   std::vector<std::uint8_t> bytes);

  bool empty() const { return tensors_.empty(); }
  // The rows of one matrix, ascending: (row, packed bytes).
  using Rows = std::map<std::size_t, std::vector<std::uint8_t>>;
  // nullptr if no row of the matrix is replaced.
  const Rows* find(TensorAddress address) const;
  // The bytes of a replaced row, nullptr if the model's own row is in force.
  const std::uint8_t* find_row(TensorAddress address, std::size_t row) const;

 private:
  void flip_bytes(const Model& model, TensorAddress address, std::size_t row,
                  std::size_t first_byte, std::size_t num_bytes, std::uint8_t mask);

  std::map<TensorAddress, Rows> tensors_;
};

}  // namespace bankai::model
