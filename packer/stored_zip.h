// A ZIP archive whose entries are stored, not compressed: what torch.save writes. The layout is
// that of PKWARE's APPNOTE 6.3; the central directory is what counts, as for every reader of ZIP.
// Entries that are compressed, encrypted, or need 64-bit sizes are refused.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace bankai::packer {

struct ZipEntry {
  std::string_view name;            // in the archive
  std::span<const std::byte> data;  // in the archive; its CRC-32 is as the directory says
};

// The entries in the directory's order. Errors: kBadInput with the offset, also for a CRC that does
// not fit, a name that comes twice and entries that overlap; kUnsupported for what is named above.
// The archive outlives the result.
Result<std::vector<ZipEntry>> read_stored_zip(std::span<const std::byte> archive);

}  // namespace bankai::packer
