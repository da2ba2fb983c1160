#include "packer/entropy.h"

#include <array>

#include "kernels/scalar_math.h"

namespace bankai::packer {
namespace {

constexpr double kLn2 = 0.693147180559945309417;

}  // namespace

double entropy_bits(std::span<const std::uint64_t> counts) {
  double total = 0.0;
  for (const std::uint64_t count : counts) total += static_cast<double>(count);
  double nats = 0.0;
  for (const std::uint64_t count : counts) {
    if (count == 0) continue;
    const auto occurrences = static_cast<double>(count);
    nats += occurrences * kernels::log_f64(total / occurrences);
  }
  return nats / kLn2;
}

double byte_entropy_bits(std::span<const std::byte> bytes) {
  std::array<std::uint64_t, 256> counts{};
  for (const std::byte byte : bytes) ++counts[std::to_integer<std::size_t>(byte)];
  return entropy_bits(counts);
}

}  // namespace bankai::packer
