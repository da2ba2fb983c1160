// A content of bits or trits as digits, one byte per element, block by block on several threads.
// The digit of a bit is itself, that of a trit the trit plus 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "packer/content.h"

namespace bankai::packer {

// The digits of a block, one per element; behind those of bits, the zeros that fill the last byte.
void digits_of(const Content& content, std::span<const std::byte> logical,
               std::vector<std::uint8_t>& digits);

// The way back: fills `logical` with the block's logical bytes, their unused bits with 0.
void logical_of(const Content& content, std::span<const std::uint8_t> digits,
                std::span<std::byte> logical);

// Calls visit(worker, block, digits) for every block; every worker below `workers` is one thread.
using DigitVisitor =
    std::function<void(std::size_t worker, const Block&, std::span<const std::uint8_t> digits)>;
void visit_digits(const ContentSource& source, std::size_t workers, const DigitVisitor& visit);
// As many workers as threads, but no more than blocks.
std::size_t num_workers(const ContentSource& source, int threads);

}  // namespace bankai::packer
