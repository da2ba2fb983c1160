// A binary model as a patch would make it.
#pragma once

#include <algorithm>
#include <optional>
#include <span>

#include "bfs/sign_changes.h"
#include "core/check.h"
#include "model/binary_matrices.h"
#include "patch/apply.h"
#include "patch/flip.h"

namespace bankai::bfs {

// Model: one of those with a model::find_binary_matrix. REQUIRES: flips of its matrices, as a
// patch may have them.
template <typename Model>
Model with_flips(Model model, std::span<const patch::Flip> flips) {
  const auto set = patch::FlipSet::make({flips.begin(), flips.end()});
  BANKAI_CHECK(set.ok(), "flips that are no patch");
  const Status done = patch::toggle_flips(
      *set, [&](TensorAddress tensor) -> std::optional<patch::MutableWeightView> {
        return model::mutable_bit_view(model, tensor);
      });
  BANKAI_CHECK(done.ok(), "flips of another model");
  return model;
}

// With other bits in these rows. REQUIRES: rows of its matrices.
template <typename Model>
Model with_rows(Model model, const BinaryRows& rows) {
  for (const auto& [tensor, replaced] : rows) {
    auto& matrix = const_cast<model::BinaryMatrix&>(*model::find_binary_matrix(model, tensor));
    for (const auto& [row, words] : replaced)
      std::copy(words.begin(), words.end(), matrix.bits.data() + row * matrix.row_words());
  }
  return model;
}

}  // namespace bankai::bfs
