#include "kernels/ternary_blocks.h"

#include <cstring>

#include "core/check.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kHalfBytes = 2;
constexpr std::size_t kRunBytes = 32;  // of interleaved two-bit codes
constexpr std::uint16_t kHalfOne = 0x3C00;

constexpr std::size_t block_bytes(TensorType type) { return tensor_type_info(type).block_bytes; }
constexpr std::size_t block_weights(TensorType type) {
  return tensor_type_info(type).block_weights;
}

void decode_in_order(const std::uint8_t* bytes, std::size_t weights, std::uint8_t* codes) {
  for (std::size_t byte = 0; byte < weights / 4; ++byte)
    for (std::size_t i = 0; i < 4; ++i)
      codes[4 * byte + i] = static_cast<std::uint8_t>((bytes[byte] >> (2 * i)) & 3);
}

enum class FirstBits { kLowest, kHighest };

// One run: 128 weights.
void decode_interleaved(const std::uint8_t* bytes, FirstBits first, std::uint8_t* codes) {
  for (unsigned part = 0; part < 4; ++part, codes += kRunBytes) {
    const unsigned shift = first == FirstBits::kLowest ? 2 * part : 6 - 2 * part;
    for (std::size_t m = 0; m < kRunBytes; ++m)
      codes[m] = static_cast<std::uint8_t>((bytes[m] >> shift) & 3);
  }
}

// A byte b stands for the fraction b / 256, whose base-3 digits come out one by one.
void decode_base3(const std::uint8_t* bytes, std::size_t num_bytes, std::size_t num_digits,
                  std::uint8_t* codes) {
  for (std::size_t m = 0; m < num_bytes; ++m) {
    unsigned fraction = bytes[m];
    for (std::size_t n = 0; n < num_digits; ++n) {
      fraction *= 3;
      codes[n * num_bytes + m] = static_cast<std::uint8_t>(fraction >> 8U);
      fraction &= 0xFFU;
    }
  }
}

void decode_tq1_0(const std::uint8_t* block, std::uint8_t* codes) {
  decode_base3(block, 32, 5, codes);
  decode_base3(block + 32, 16, 5, codes + 160);
  decode_base3(block + 48, 4, 4, codes + 240);
}

}  // namespace

bool is_ternary(TensorType type) {
  switch (type) {
    case TensorType::kTQ1_0:
    case TensorType::kTQ2_0:
    case TensorType::kI2_S:
    case TensorType::kQ2_0:
    case TensorType::kPQ2_0: return true;
    default: return false;
  }
}

void decode_ternary_block(TensorType type, const std::uint8_t* block, std::uint8_t* codes) {
  static_assert(block_weights(TensorType::kTQ1_0) <= kMaxTernaryBlock &&
                block_weights(TensorType::kTQ2_0) <= kMaxTernaryBlock);
  switch (type) {
    case TensorType::kQ2_0:
    case TensorType::kPQ2_0:
      decode_in_order(block + kHalfBytes, block_weights(type), codes);
      return;
    case TensorType::kTQ2_0:
      decode_interleaved(block, FirstBits::kLowest, codes);
      decode_interleaved(block + kRunBytes, FirstBits::kLowest, codes + 4 * kRunBytes);
      return;
    case TensorType::kI2_S: decode_interleaved(block, FirstBits::kHighest, codes); return;
    case TensorType::kTQ1_0: decode_tq1_0(block, codes); return;
    default: BANKAI_CHECK(false, "not a ternary type");
  }
}

std::uint16_t ternary_block_scale(TensorType type, const std::uint8_t* block) {
  if (type == TensorType::kI2_S) return kHalfOne;
  const bool is_last = type == TensorType::kTQ1_0 || type == TensorType::kTQ2_0;
  std::uint16_t scale;
  std::memcpy(&scale, is_last ? block + block_bytes(type) - kHalfBytes : block, sizeof scale);
  return scale;
}

}  // namespace bankai::kernels
