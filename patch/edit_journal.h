// The journal of an in-place edit: what the touched ranges of a file held before, and what they
// were to hold. docs/formats/patch.md, part 3, is the specification.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "patch/apply.h"

namespace bankai::patch {

struct JournalRange {
  std::uint64_t offset = 0;
  std::vector<std::byte> old_bytes;
  std::vector<std::byte> new_bytes;  // as many

  bool operator==(const JournalRange&) const = default;
};

struct EditJournal {
  std::uint64_t file_size_bytes = 0;
  std::vector<JournalRange> ranges;  // by offset, not overlapping

  bool operator==(const EditJournal&) const = default;
};

std::vector<std::byte> encode_journal(const EditJournal& journal);

// Errors (kBadInput): damaged, or ranges outside the file, overlapping or out of order.
Result<EditJournal> decode_journal(std::span<const std::byte> bytes);

// The stretches of a file that `edits` touch, neighbours joined: empty byte vectors of the right
// length in old_bytes and new_bytes. REQUIRES: edits sorted, not overlapping.
std::vector<JournalRange> ranges_of(std::span<const FileEdit> edits);

}  // namespace bankai::patch
