#include "bfs/numpy_random.h"

#include <array>
#include <cstddef>

namespace bankai::bfs {
namespace {

constexpr std::size_t kPoolWords = 4;

std::uint32_t shift_mix(std::uint32_t value) { return value ^ (value >> 16U); }

// SeedSequence's pool: the seed's words mixed so that every word depends on all of them.
class SeedPool {
 public:
  explicit SeedPool(std::uint64_t seed) {
    const std::array<std::uint32_t, 2> entropy = {static_cast<std::uint32_t>(seed),
                                                  static_cast<std::uint32_t>(seed >> 32U)};
    for (std::size_t i = 0; i < kPoolWords; ++i)
      pool_[i] = hash(i < entropy.size() ? entropy[i] : 0U);
    for (std::size_t source = 0; source < kPoolWords; ++source)
      for (std::size_t target = 0; target < kPoolWords; ++target)
        if (source != target) pool_[target] = mix(pool_[target], hash(pool_[source]));
  }

  std::array<std::uint64_t, 4> generate() const {
    std::array<std::uint64_t, 4> words{};
    std::uint32_t constant = 0x8b51f9ddU;
    for (std::size_t i = 0; i < 8; ++i) {
      std::uint32_t value = pool_[i % kPoolWords] ^ constant;
      constant *= 0x58f38dedU;
      value = shift_mix(value * constant);
      words[i / 2] |= static_cast<std::uint64_t>(value) << (32U * (i % 2));
    }
    return words;
  }

 private:
  std::uint32_t hash(std::uint32_t value) {
    value ^= constant_;
    constant_ *= 0x931e8875U;
    return shift_mix(value * constant_);
  }
  static std::uint32_t mix(std::uint32_t x, std::uint32_t y) {
    return shift_mix(0xca01f9ddU * x - 0x4973f715U * y);
  }

  std::uint32_t constant_ = 0x43b0d7e5U;
  std::array<std::uint32_t, kPoolWords> pool_{};
};

}  // namespace

NumpyRandom::NumpyRandom(std::uint64_t seed) {
  const std::array<std::uint64_t, 4> words = SeedPool(seed).generate();
  const Wide initial = (static_cast<Wide>(words[0]) << 64U) | words[1];
  const Wide sequence = (static_cast<Wide>(words[2]) << 64U) | words[3];
  increment_ = (sequence << 1U) | 1U;
  step();
  state_ += initial;
  step();
}

void NumpyRandom::step() {
  constexpr Wide kMultiplier =
      (static_cast<Wide>(0x2360ed051fc65da4U) << 64U) | 0x4385df649fccf645U;
  state_ = state_ * kMultiplier + increment_;
}

std::uint64_t NumpyRandom::next_bits() {
  step();
  const auto rotation = static_cast<unsigned>(state_ >> 122U);
  const std::uint64_t folded =
      static_cast<std::uint64_t>(state_ >> 64U) ^ static_cast<std::uint64_t>(state_);
  return (folded >> rotation) | (folded << ((64U - rotation) & 63U));
}

}  // namespace bankai::bfs
