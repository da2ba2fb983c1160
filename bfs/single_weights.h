// Flips of single weights: by how much they change them, and which steps a search takes.
//
// A step of a ternary weight acts modulo 3 (patch/flip.h), so that a patch can say whatever may be
// done to a weight. Proposals go from a value to its neighbours only, −1 ↔ 0 ↔ +1: two steps, taken
// one after the other, change a sign. Where flips of several patches are crossed (evolve), a step
// may meet a negated row and wrap around; what it does is scored as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/row_overlay.h"
#include "patch/flip.h"

namespace bankai::bfs {

// The packed bytes of a row as `state` has it.
const std::uint8_t* row_bytes(const model::WeightMatrix& matrix, const model::RowOverlay& state,
                              std::size_t row);

// By how much a flip of `kind` changes each weight of a row, alone (cols): a bit w by −2w, a step
// by (new − old) times the scale, weights with code 3 not at all. row: packed bytes. REQUIRES: a
// kind of the matrix's type that takes single weights.
void weight_changes(const model::WeightMatrix& matrix, const std::uint8_t* row,
                    patch::FlipKind kind, float* changes);

// Whether a search may take the flip on top of the state: a step has to lead to a neighbouring
// value. REQUIRES: the flip lies in a matrix of the model whose type it fits.
bool is_legal(const model::Model& model, const model::RowOverlay& state, const patch::Flip& flip);

// The same for the steps of one kind in a row: 1 or 0 (cols).
std::vector<std::uint8_t> legal_steps(const model::Model& model, const model::RowOverlay& state,
                                      TensorAddress tensor, std::size_t row, patch::FlipKind kind);

}  // namespace bankai::bfs
