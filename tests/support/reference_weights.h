// The weights of a GGUF file by the definitions of their types, to compare the program's with: it
// shares no arithmetic with model/ and kernels/.
#pragma once

#include <string>
#include <vector>

#include "model/gguf_file.h"

namespace bankai::testing {

// Throws std::runtime_error if there is no such tensor.
const model::GgufTensor& reference_tensor(const model::GgufFile& file, const std::string& name);

// (rows, cols); every stored type fits a float exactly. I2_S: without the scale of its tensor.
// Throws std::runtime_error for an unknown type.
std::vector<float> reference_weights(const model::GgufTensor& tensor);
// Those of a tensor that stands for a vector.
std::vector<double> reference_vector(const model::GgufFile& file, const std::string& name);

// Of all weights of NAME.weight: I2_S's own, and NAME.scale where there is one.
double reference_scale(const model::GgufFile& file, const std::string& name);

}  // namespace bankai::testing
