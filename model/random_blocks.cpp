#include "model/random_blocks.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/half.h"

namespace bankai::model {
namespace {

using kernels::TensorType;

constexpr double kRootHalf = 0.70710678118654752;       // codes 1/4, 1/2, 1/4
constexpr double kRootTwoThirds = 0.81649658092772603;  // three trits alike
constexpr double kUniformInt8 = 73.9;

constexpr std::array<RandomBlock, 7> kRandomBlocks = {{
    {TensorType::kQ1_0, 2, 16, false, 1.0},
    {TensorType::kQ2_0, 2, 16, true, kRootHalf},
    {TensorType::kPQ2_0, 2, 32, true, kRootHalf},
    {TensorType::kTQ1_0, 0, 52, false, kRootTwoThirds},
    {TensorType::kTQ2_0, 0, 64, true, kRootHalf},
    {TensorType::kI2_S, 0, 32, true, kRootHalf},
    {TensorType::kQ8_0, 2, 32, false, kUniformInt8},
}};

// Code 3 becomes 1, in all 32 codes of a word.
std::uint64_t without_code_3(std::uint64_t codes) {
  constexpr std::uint64_t kHighBits = 0xAAAAAAAAAAAAAAAAU;
  return codes & ~(codes & (codes << 1U) & kHighBits);
}

}  // namespace

const RandomBlock* find_random_block(TensorType type) {
  for (const RandomBlock& block : kRandomBlocks)
    if (block.type == type) return &block;
  return nullptr;
}

void fill_random_block(const RandomBlock& type, const CounterRng& rng, std::uint64_t first_draw,
                       double rms, std::span<std::byte> block) {
  for (std::size_t at = 0; at < type.code_bytes; at += 8) {
    const std::uint64_t bits = rng.bits(first_draw + 1 + at / 8);
    const std::uint64_t codes = type.is_two_bit ? without_code_3(bits) : bits;
    std::memcpy(&block[type.code_offset + at], &codes,
                std::min(sizeof codes, type.code_bytes - at));
  }
  if (block.size() == type.code_bytes) return;
  const double scale = rms / type.unit_rms * (0.75 + 0.5 * rng.uniform(first_draw));
  const std::uint16_t half = kernels::float_to_f16(static_cast<float>(scale));
  std::memcpy(&block[type.code_offset == 0 ? type.code_bytes : 0], &half, sizeof half);
}

}  // namespace bankai::model
