#include "patch/flip.h"

namespace bankai::patch {

std::string to_string(const Flip& flip) {
  std::string text = to_string(flip.tensor) + " row " + std::to_string(flip.row);
  if (flip.kind == FlipKind::kGroup) text += " group " + std::to_string(flip.index);
  if (flip.kind == FlipKind::kBit) text += " column " + std::to_string(flip.index);
  return text;
}

}  // namespace bankai::patch
