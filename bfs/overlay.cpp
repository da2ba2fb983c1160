#include "bfs/overlay.h"

#include "core/trit_matrix.h"
#include "kernels/ternary_blocks.h"
#include "patch/row_mask.h"

namespace bankai::bfs {

namespace {

// The row of a ternary matrix with the flip applied.
std::vector<std::uint8_t> flipped_trits(const kernels::WeightRows& weights,
                                        const TritLayout& layout, const std::uint8_t* row,
                                        const patch::Flip& flip) {
  std::vector<std::uint8_t> bytes(row, row + weights.row_bytes);
  const MutableTritMatrixView view(layout, std::as_writable_bytes(std::span(bytes)).data(), 1,
                                   weights.cols);
  std::vector<std::uint8_t> codes(weights.cols);
  view.read_codes(0, codes.data());
  static_cast<void>(patch::change_codes(patch::mask_of_row({&flip, 1}), codes));
  for (std::size_t i = 0; i < view.blocks_per_row(); ++i)
    encode_trits(layout, codes.data() + i * layout.block_cols, view.block(0, i));
  return bytes;
}

}  // namespace

void apply_flip(const model::Model& model, const patch::Flip& flip, model::RowOverlay& overlay) {
  if (kernels::is_ternary(model.find_matrix(flip.tensor)->weights.type)) {
    overlay.replace_row(model, flip.tensor, flip.row, flipped_row(model, overlay, flip));
    return;
  }
  switch (flip.kind) {
    case patch::FlipKind::kRow: overlay.flip_row(model, flip.tensor, flip.row); break;
    case patch::FlipKind::kGroup:
      overlay.flip_group(model, flip.tensor, flip.row, flip.index);
      break;
    case patch::FlipKind::kBit: overlay.flip_bit(model, flip.tensor, flip.row, flip.index); break;
    case patch::FlipKind::kStepUp:
    case patch::FlipKind::kStepDown: BANKAI_CHECK(false, "a step of a 1-bit weight");
  }
}

model::RowOverlay make_overlay(const model::Model& model, std::span<const patch::Flip> flips) {
  model::RowOverlay overlay;
  for (const bool steps : {false, true})
    for (const patch::Flip& flip : flips)
      if (patch::is_step(flip.kind) == steps) apply_flip(model, flip, overlay);
  return overlay;
}

std::vector<std::uint8_t> flipped_row(const model::Model& model, const model::RowOverlay& state,
                                      const patch::Flip& flip) {
  const kernels::WeightRows& weights = model.find_matrix(flip.tensor)->weights;
  const std::uint8_t* own = weights.data + flip.row * weights.row_bytes;
  if (const TritLayout* layout = kernels::find_trit_layout(weights.type)) {
    const std::uint8_t* current = state.find_row(flip.tensor, flip.row);
    return flipped_trits(weights, *layout, current == nullptr ? own : current, flip);
  }
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
