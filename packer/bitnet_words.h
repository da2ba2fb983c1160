// Ternary matrices as Hugging Face's BitNet layers store them: four weights of a column in a byte.
// NAME.weight is U8 (ceil(rows / 4), cols); with R = ceil(rows / 4), bits 2i and 2i + 1 of the byte
// at (r, c) are the weight at (i · R + r, c) plus one. NAME.weight_scale is one float: layers of
// the class autobitlinear multiply a product by it, those of the class bitlinear divide by it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/result.h"
#include "model/safetensors.h"

namespace bankai::packer {

enum class BitnetScale : std::uint8_t { kMultiplies, kDivides };

class BitnetMatrix {
 public:
  // Nothing if NAME.weight is not U8. Reads all of it once. Errors (kBadInput): another shape, a
  // missing scale or one that is no positive number, a code that is no weight (named with its
  // place).
  static Result<std::optional<BitnetMatrix>> find(const model::SafetensorsSet& set,
                                                  const std::string& name, std::size_t rows,
                                                  std::size_t cols, BitnetScale use);

  // Of all weights.
  float scale() const { return scale_; }
  std::uint64_t bytes() const;
  // (cols) weights: −factor, 0 or factor.
  void widen(std::size_t row, float factor, float* out) const;

 private:
  Status check_codes() const;

  const model::SafetensorsTensor* codes_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  float scale_ = 1.0F;
};

}  // namespace bankai::packer
