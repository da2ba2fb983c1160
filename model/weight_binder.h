// Finds the weights of a model in its file and checks names, shapes, types and scales.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/tensor_address.h"
#include "kernels/i2_s_layouts.h"
#include "model/gguf_file.h"
#include "model/hyperparameters.h"
#include "model/weight_matrix.h"

namespace bankai::model {

// Codes of I2_S tensors that had to be rearranged, by the tensor's name. Owns what matrices point
// into; may be moved.
using RearrangedTensors = std::map<std::string_view, std::vector<std::uint8_t>>;

class WeightBinder {
 public:
  // How I2_S tensors are laid out; nullopt: nobody said, so as 128/32, with a warning. The file and
  // the parameters must outlive the object.
  WeightBinder(const GgufFile& file, const Hyperparameters& parameters,
               std::optional<kernels::I2sLayout> i2s_layout)
      : file_(file), parameters_(parameters), i2s_layout_(i2s_layout) {}

  // The matrix of an address, (rows, cols). Its scale is that of its I2_S tensor times the
  // one-value tensor "….scale" beside it, 1 where there is neither. Query, key and value may be
  // parts of one fused tensor. Errors: kBadInput with the tensor, what was found and what was
  // expected; kUnsupported for a width that is no multiple of 128.
  Result<WeightMatrix> matrix(TensorAddress address, std::size_t rows, std::size_t cols);
  // A vector of `size` floats, of any float type. Errors as above.
  Result<std::vector<float>> vector(const std::string& name, std::size_t size) const;

  // After all matrices: what they point into, if it is not the file, and what the user should know.
  RearrangedTensors take_rearranged() { return std::move(rearranged_); }
  std::vector<std::string> take_warnings() { return std::move(warnings_); }

 private:
  Result<float> scale(const GgufTensor& tensor) const;
  Result<const std::uint8_t*> data(const GgufTensor& tensor);
  void warn_of_i2_s();

  const GgufFile& file_;
  const Hyperparameters& parameters_;
  std::optional<kernels::I2sLayout> i2s_layout_;
  RearrangedTensors rearranged_;
  std::vector<std::string> warnings_;
};

}  // namespace bankai::model
