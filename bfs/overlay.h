// Flips acting on a model's forward pass: patches and candidates as replaced rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/row_overlay.h"
#include "patch/flip.h"

namespace bankai::bfs {

// On top of what the overlay has. REQUIRES: the flip lies inside a 1-bit or ternary matrix of the
// model, whose type it fits (patch validation has made sure).
void apply_flip(const model::Model& model, const patch::Flip& flip, model::RowOverlay& overlay);

// All flips together, as in one patch: negations act before steps.
model::RowOverlay make_overlay(const model::Model& model, std::span<const patch::Flip> flips);

// The packed bytes of the flip's row as `state` has it, with the flip applied.
std::vector<std::uint8_t> flipped_row(const model::Model& model, const model::RowOverlay& state,
                                      const patch::Flip& flip);

}  // namespace bankai::bfs
