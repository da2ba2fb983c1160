// Whether a content has what the learned codecs (learned_model.h) learn, found out from a sample
// in a fraction of the time that coding takes.
#pragma once

#include <cstdint>
#include <optional>

#include "packer/content.h"

namespace bankai::packer {

// Where signs of rows (or columns) in the middle block are not correlated, what all digits take by
// their order-0 entropy there and what is learned from noise; nothing where they are. REQUIRES:
// bits or trits; not empty.
std::optional<std::uint64_t> bytes_if_nothing_is_learned(const ContentSource& source);

}  // namespace bankai::packer
