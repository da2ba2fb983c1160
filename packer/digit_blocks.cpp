#include "packer/digit_blocks.h"

#include <algorithm>

#include "model/parallel.h"

namespace bankai::packer {

void digits_of(const Content& content, std::span<const std::byte> logical,
               std::vector<std::uint8_t>& digits) {
  if (content.kind == ContentKind::kTrits) {
    digits.resize(logical.size());
    for (std::size_t i = 0; i < logical.size(); ++i)
      digits[i] = static_cast<std::uint8_t>(std::to_integer<std::uint8_t>(logical[i]) + 1);
    return;
  }
  digits.resize(logical.size() * 8);
  for (std::size_t i = 0; i < logical.size(); ++i)
    for (unsigned bit = 0; bit < 8; ++bit)
      digits[8 * i + bit] =
          static_cast<std::uint8_t>(std::to_integer<unsigned>(logical[i]) >> bit & 1U);
}

void logical_of(const Content& content, std::span<const std::uint8_t> digits,
                std::span<std::byte> logical) {
  if (content.kind == ContentKind::kTrits) {
    for (std::size_t i = 0; i < logical.size(); ++i)
      logical[i] = static_cast<std::byte>(digits[i] - 1U);
    return;
  }
  for (std::size_t i = 0; i < logical.size(); ++i) {
    unsigned byte = 0;
    for (std::size_t bit = 0; bit < 8 && 8 * i + bit < digits.size(); ++bit)
      byte |= static_cast<unsigned>(digits[8 * i + bit]) << bit;
    logical[i] = static_cast<std::byte>(byte);
  }
}

std::size_t num_workers(const ContentSource& source, int threads) {
  return static_cast<std::size_t>(std::min<std::uint64_t>(
      num_blocks(source.content()), static_cast<unsigned>(std::max(threads, 1))));
}

void visit_digits(const ContentSource& source, std::size_t workers, const DigitVisitor& visit) {
  const std::uint64_t blocks = num_blocks(source.content());
  model::parallel_for(static_cast<int>(workers), workers, [&](IndexRange range) {
    std::vector<std::byte> buffer;
    std::vector<std::uint8_t> digits;
    for (std::size_t worker = range.begin; worker < range.end; ++worker)
      for (std::uint64_t i = worker; i < blocks; i += workers) {
        const Block block = block_at(source.content(), i);
        digits_of(source.content(), source.read(block, buffer), digits);
        visit(worker, block, digits);
      }
  });
}

}  // namespace bankai::packer
