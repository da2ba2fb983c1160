// Matrices and patches to test with: owned weights, random flips, a model of a few matrices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/bit_matrix.h"
#include "core/counter_rng.h"
#include "patch/apply.h"
#include "patch/fingerprint.h"
#include "patch/patch.h"

namespace bankai::patch {

inline constexpr TensorAddress kGate0{0, Projection::kGate};
inline constexpr TensorAddress kUp0{0, Projection::kUp};
inline constexpr TensorAddress kDown3{3, Projection::kDown};
inline constexpr TensorAddress kHead{0, Projection::kHead};

// A matrix of Q1_0 blocks with pseudo-random bits and scales.
class SampleMatrix {
 public:
  SampleMatrix(std::size_t rows, std::size_t cols, std::uint64_t seed)
      : rows_(rows), cols_(cols), blocks_(rows * cols / kGroupCols * 18) {
    const CounterRng rng(seed);
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      blocks_[i] = static_cast<std::byte>(rng.bits(i) & 0xffU);
  }

  MutableBitMatrixView view() {
    return MutableBitMatrixView::from_q1_0(blocks_.data(), rows_, cols_);
  }
  BitMatrixView view() const { return BitMatrixView::from_q1_0(blocks_.data(), rows_, cols_); }
  std::vector<std::byte>& blocks() { return blocks_; }

  bool operator==(const SampleMatrix&) const = default;

 private:
  std::size_t rows_;
  std::size_t cols_;
  std::vector<std::byte> blocks_;
};

// Four matrices of different shapes, one of them with a single group per row.
struct SampleModel {
  std::map<TensorAddress, SampleMatrix> matrices = {
      {kGate0, {6, 384, 1}}, {kUp0, {6, 384, 2}}, {kDown3, {9, 128, 3}}, {kHead, {5, 256, 4}}};

  ShapeTable shapes() const {
    ShapeTable table;
    for (const auto& [tensor, matrix] : matrices)
      table[tensor] = {static_cast<std::uint32_t>(matrix.view().rows()),
                       static_cast<std::uint32_t>(matrix.view().cols())};
    return table;
  }
  MatrixLookup lookup() const {
    return [this](TensorAddress tensor) -> std::optional<BitMatrixView> {
      const auto found = matrices.find(tensor);
      if (found == matrices.end()) return std::nullopt;
      return found->second.view();
    };
  }
  MutableMatrixLookup mutable_lookup() {
    return [this](TensorAddress tensor) -> std::optional<MutableBitMatrixView> {
      const auto found = matrices.find(tensor);
      if (found == matrices.end()) return std::nullopt;
      return found->second.view();
    };
  }
  bool operator==(const SampleModel&) const = default;
};

// `count` random flips of all kinds (repetitions happen) within `shapes`.
inline std::vector<Flip> random_flips(const ShapeTable& shapes, std::size_t count,
                                      std::uint64_t seed) {
  const CounterRng rng(seed, 77);
  std::vector<Flip> flips;
  for (std::size_t i = 0; i < count; ++i) {
    auto entry = shapes.begin();
    std::advance(entry, static_cast<std::ptrdiff_t>(rng.below(4 * i, shapes.size())));
    const auto& [tensor, shape] = *entry;
    const auto row = static_cast<std::uint32_t>(rng.below(4 * i + 1, shape.rows));
    const std::uint64_t kind = rng.below(4 * i + 2, 3);
    if (kind == 0)
      flips.push_back(row_flip(tensor, row));
    else if (kind == 1)
      flips.push_back(group_flip(
          tensor, row, static_cast<std::uint32_t>(rng.below(4 * i + 3, shape.groups_per_row()))));
    else
      flips.push_back(
          bit_flip(tensor, row, static_cast<std::uint32_t>(rng.below(4 * i + 3, shape.cols))));
  }
  return flips;
}

// A bound patch of random flips of the sample model.
inline Patch random_patch(const SampleModel& model, std::size_t count, std::uint64_t seed) {
  Patch patch;
  patch.name = "random-" + std::to_string(seed);
  patch.base_model = "sample";
  patch.flips = FlipSet::make(random_flips(model.shapes(), count, seed), model.shapes()).value();
  if (!bind_to_base(patch, model.lookup()).ok()) patch = {};
  return patch;
}

}  // namespace bankai::patch
