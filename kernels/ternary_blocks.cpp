#include "kernels/ternary_blocks.h"

#include <cstring>

#include "core/check.h"

namespace bankai::kernels {
namespace {

constexpr std::uint16_t kHalfOne = 0x3C00;

constexpr std::size_t block_bytes(TensorType type) { return tensor_type_info(type).block_bytes; }
constexpr std::size_t block_weights(TensorType type) {
  return tensor_type_info(type).block_weights;
}

constexpr TritLayout in_order(TensorType type) {
  return {TritPacking::kInOrder, block_weights(type), block_bytes(type), 2, 0};
}
constexpr TritLayout scale_last(TensorType type, TritPacking packing) {
  return {packing, block_weights(type), block_bytes(type), 0, block_bytes(type) - 2};
}

constexpr TritLayout kQ2Layout = in_order(TensorType::kQ2_0);
constexpr TritLayout kPQ2Layout = in_order(TensorType::kPQ2_0);
constexpr TritLayout kTQ2Layout = scale_last(TensorType::kTQ2_0, TritPacking::kRunsFromLowest);
constexpr TritLayout kTQ1Layout = scale_last(TensorType::kTQ1_0, TritPacking::kBase3);
constexpr TritLayout kI2SLayout = {TritPacking::kRunsFromHighest, block_weights(TensorType::kI2_S),
                                   block_bytes(TensorType::kI2_S), 0, TritLayout::kNoScale};
static_assert(kTQ1Layout.block_cols <= kMaxTritBlock && kTQ2Layout.block_cols <= kMaxTritBlock);

const TritLayout& layout_of(TensorType type) {
  const TritLayout* layout = find_trit_layout(type);
  BANKAI_CHECK(layout != nullptr, "not a ternary type");
  return *layout;
}

}  // namespace

const TritLayout* find_trit_layout(TensorType type) {
  switch (type) {
    case TensorType::kQ2_0: return &kQ2Layout;
    case TensorType::kPQ2_0: return &kPQ2Layout;
    case TensorType::kTQ2_0: return &kTQ2Layout;
    case TensorType::kTQ1_0: return &kTQ1Layout;
    case TensorType::kI2_S: return &kI2SLayout;
    default: return nullptr;
  }
}

void decode_ternary_block(TensorType type, const std::uint8_t* block, std::uint8_t* codes) {
  decode_trits(layout_of(type), reinterpret_cast<const std::byte*>(block), codes);
}

std::uint16_t ternary_block_scale(TensorType type, const std::uint8_t* block) {
  const TritLayout& layout = layout_of(type);
  if (!layout.has_scale()) return kHalfOne;
  std::uint16_t scale;
  std::memcpy(&scale, block + layout.scale_offset, sizeof scale);
  return scale;
}

void encode_ternary_block(TensorType type, const std::uint8_t* codes, std::uint16_t scale,
                          std::uint8_t* block) {
  const TritLayout& layout = layout_of(type);
  encode_trits(layout, codes, reinterpret_cast<std::byte*>(block));
  if (layout.has_scale()) std::memcpy(block + layout.scale_offset, &scale, sizeof scale);
}

}  // namespace bankai::kernels
