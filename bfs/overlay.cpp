#include "bfs/overlay.h"

namespace bankai::bfs {

void apply_flip(const model::Model& model, const patch::Flip& flip, model::RowOverlay& overlay) {
  switch (flip.kind) {
    case patch::FlipKind::kRow: overlay.flip_row(model, flip.tensor, flip.row); break;
    case patch::FlipKind::kGroup:
      overlay.flip_group(model, flip.tensor, flip.row, flip.index);
      break;
    case patch::FlipKind::kBit: overlay.flip_bit(model, flip.tensor, flip.row, flip.index); break;
  }
}

model::RowOverlay make_overlay(const model::Model& model, std::span<const patch::Flip> flips) {
  model::RowOverlay overlay;
  for (const patch::Flip& flip : flips) apply_flip(model, flip, overlay);
  return overlay;
}

std::vector<std::uint8_t> flipped_row(const model::Model& model, const model::RowOverlay& state,
                                      const patch::Flip& flip) {
  const kernels::WeightRows& weights = model.find_matrix(flip.tensor)->weights;
  const std::uint8_t* own = weights.data + flip.row * weights.row_bytes;
  model::RowOverlay alone;
  apply_flip(model, flip, alone);
  const std::uint8_t* flipped = alone.find_row(flip.tensor, flip.row);
  std::vector<std::uint8_t> bytes(flipped, flipped + weights.row_bytes);
  if (const std::uint8_t* current = state.find_row(flip.tensor, flip.row))
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(bytes[i] ^ own[i] ^ current[i]);
  return bytes;
}

}  // namespace bankai::bfs
