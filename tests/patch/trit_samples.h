// A model of ternary matrices, one of each layout, and random flips for it.
#pragma once

#include <array>
#include <cstring>
#include <map>
#include <vector>

#include "core/counter_rng.h"
#include "core/trit_matrix.h"
#include "patch/fingerprint.h"
#include "patch/patch.h"
#include "tests/patch/patch_samples.h"

namespace bankai::patch {

inline constexpr TritLayout kTQ2{TritPacking::kRunsFromLowest, 256, 66, 0, 64};
inline constexpr TritLayout kTQ1{TritPacking::kBase3, 256, 54, 0, 52};
inline constexpr TritLayout kQ2{TritPacking::kInOrder, 64, 18, 2, 0};
inline constexpr TritLayout kPQ2{TritPacking::kInOrder, 128, 34, 2, 0};
inline constexpr TritLayout kI2S{TritPacking::kRunsFromHighest, 128, 32, 0};

// Pseudo-random trits with pseudo-random scales, one for every 256 columns whatever the blocks are.
class TritMatrix {
 public:
  TritMatrix(const TritLayout& layout, std::size_t rows, std::size_t cols, std::uint64_t seed)
      : layout_(layout),
        rows_(rows),
        cols_(cols),
        bytes_(rows * cols / layout.block_cols * layout.block_bytes) {
    const CounterRng rng(seed, 5);
    std::vector<std::uint8_t> codes(cols);
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t col = 0; col < cols; ++col)
        codes[col] = static_cast<std::uint8_t>(rng.below(row * cols + col, 3));
      for (std::size_t i = 0; i < view().blocks_per_row(); ++i) {
        std::byte* block = view().block(row, i);
        encode_trits(layout, codes.data() + i * layout.block_cols, block);
        const std::uint64_t scale = rng.bits((row + 1) * 1000 + i * layout.block_cols / 256);
        if (layout.has_scale()) std::memcpy(block + layout.scale_offset, &scale, 2);
      }
    }
  }

  MutableTritMatrixView view() {
    return {layout_, bytes_.data(), rows_, cols_, layout_.has_scale() ? nullptr : scale_.data()};
  }
  TritMatrixView view() const {
    return {layout_, bytes_.data(), rows_, cols_, layout_.has_scale() ? nullptr : scale_.data()};
  }
  std::vector<std::uint8_t> codes() const {
    std::vector<std::uint8_t> codes(rows_ * cols_);
    for (std::size_t row = 0; row < rows_; ++row) view().read_codes(row, &codes[row * cols_]);
    return codes;
  }
  std::vector<std::byte>& bytes() { return bytes_; }
  std::array<std::byte, 4>& scale() { return scale_; }

  bool operator==(const TritMatrix&) const = default;

 private:
  TritLayout layout_;
  std::size_t rows_;
  std::size_t cols_;
  std::vector<std::byte> bytes_;
  std::array<std::byte, 4> scale_{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
};

inline constexpr TensorAddress kQuery1{1, Projection::kQuery};

struct TritModel {
  std::map<TensorAddress, TritMatrix> matrices = {{kGate0, {kTQ2, 5, 512, 1}},
                                                  {kUp0, {kTQ1, 4, 256, 2}},
                                                  {kQuery1, {kPQ2, 3, 384, 3}},
                                                  {kDown3, {kQ2, 6, 128, 4}},
                                                  {kHead, {kI2S, 4, 256, 5}}};

  ShapeTable shapes() const {
    ShapeTable table;
    for (const auto& [tensor, matrix] : matrices)
      table[tensor] = {static_cast<std::uint32_t>(matrix.view().rows()),
                       static_cast<std::uint32_t>(matrix.view().cols())};
    return table;
  }
  MatrixLookup lookup() const {
    return [this](TensorAddress tensor) -> std::optional<WeightView> {
      const auto found = matrices.find(tensor);
      if (found == matrices.end()) return std::nullopt;
      return found->second.view();
    };
  }
  MutableMatrixLookup mutable_lookup() {
    return [this](TensorAddress tensor) -> std::optional<MutableWeightView> {
      const auto found = matrices.find(tensor);
      if (found == matrices.end()) return std::nullopt;
      return found->second.view();
    };
  }
  bool operator==(const TritModel&) const = default;
};

// `count` random row flips, group flips and steps (repetitions happen) within `shapes`.
inline std::vector<Flip> random_trit_flips(const ShapeTable& shapes, std::size_t count,
                                           std::uint64_t seed) {
  std::vector<Flip> flips = random_flips(shapes, count, seed);
  const CounterRng rng(seed, 78);
  for (std::size_t i = 0; i < flips.size(); ++i)
    if (flips[i].kind == FlipKind::kBit)
      flips[i].kind = rng.below(i, 2) == 0 ? FlipKind::kStepUp : FlipKind::kStepDown;
  return flips;
}

inline FlipSet random_trit_set(const ShapeTable& shapes, std::size_t count, std::uint64_t seed) {
  return FlipSet::make(random_trit_flips(shapes, count, seed), shapes).value();
}

inline Patch random_trit_patch(const TritModel& model, std::size_t count, std::uint64_t seed) {
  Patch patch;
  patch.name = "trits-" + std::to_string(seed);
  patch.base_model = "sample";
  patch.flips = random_trit_set(model.shapes(), count, seed);
  if (!bind_to_base(patch, model.lookup()).ok()) patch = {};
  return patch;
}

}  // namespace bankai::patch
