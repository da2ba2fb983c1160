// Strictly binary models with random weights: for benchmarks and tests where a model's size matters
// and its answers do not.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/binary_model.h"

namespace bankai::model {

struct BinaryShapeName {
  std::string_view name;  // "21m"
  BinaryShape shape;
};

// Shapes by name: 5m (its sizes are published), 12m and 21m (sizes chosen to give the published
// numbers of weights and bytes), all with 128 characters.
std::span<const BinaryShapeName> binary_shapes();

// How a threshold in units of sqrt(inputs), as it is trained, becomes the integer of a file.
enum class ThresholdRounding : std::uint8_t { kNearest, kUp };  // kNearest: halves to even
std::int32_t integer_threshold(double threshold, std::size_t inputs, ThresholdRounding rounding);

// A pure function of shape and seed: fair bits, thresholds and biases near 0, slopes 1, 2, 4, 8, 1,
// …
BinaryModel random_binary_model(const BinaryShape& shape, std::uint64_t seed);

}  // namespace bankai::model
