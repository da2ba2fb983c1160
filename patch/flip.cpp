#include "patch/flip.h"

namespace bankai::patch {

std::string to_string(const Flip& flip) {
  std::string text = to_string(flip.tensor) + " row " + std::to_string(flip.row);
  if (flip.kind == FlipKind::kGroup) text += " group " + std::to_string(flip.index);
  if (is_single(flip.kind)) text += " column " + std::to_string(flip.index);
  if (is_step(flip.kind)) text += flip.kind == FlipKind::kStepUp ? " up" : " down";
  return text;
}

}  // namespace bankai::patch
