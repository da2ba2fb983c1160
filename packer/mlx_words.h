// MLX's 1-bit matrices: words of 32 bits, and a scale and a bias per group of 128 columns, so that
// a weight is scale · bit + bias. X.weight is U32 (rows, cols / 32), the first column in the lowest
// bit; X.scales and X.biases are F16 or BF16 (rows, cols / 128). Where scale = −2 · bias this is
// what Q1_0 holds, with −bias as its scale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/result.h"
#include "model/safetensors.h"

namespace bankai::packer {

class MlxMatrix {
 public:
  // Nothing if the checkpoint has no tensor NAME.scales. Errors (kBadInput), unnamed: words, scales
  // or biases of another type or shape, or missing.
  static Result<std::optional<MlxMatrix>> find(const model::SafetensorsSet& set,
                                               const std::string& name);

  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return groups_ * kGroup; }
  std::uint64_t bytes() const;

  // The groups that Q1_0 cannot hold exactly, and the first of them (row by row).
  struct Asymmetry {
    std::uint64_t groups = 0;
    std::size_t row = 0;
    std::size_t group = 0;
    float scale = 0.0F;
    float bias = 0.0F;
  };
  Asymmetry asymmetry() const;

  // (cols / 128) blocks of Q1_0. REQUIRES: no asymmetry in this row.
  void encode_q1_0(std::size_t row, std::uint8_t* blocks) const;
  // (cols) weights.
  void widen(std::size_t row, float* out) const;

  static constexpr std::size_t kGroup = 128;

 private:
  float scale(std::size_t row, std::size_t group) const;
  float bias(std::size_t row, std::size_t group) const;
  const std::byte* words(std::size_t row, std::size_t group) const;

  const model::SafetensorsTensor* words_ = nullptr;
  const model::SafetensorsTensor* scales_ = nullptr;
  const model::SafetensorsTensor* biases_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t groups_ = 0;  // of a row
};

}  // namespace bankai::packer
