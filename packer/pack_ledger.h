// Where the bytes of a pack go: every one of them in one entry.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "packer/pack_file.h"

namespace bankai::packer {

struct LedgerEntry {
  std::string name;   // "blk.0.ffn_up.weight bits", "metadata", "patch NAME", "directory" …
  std::string codec;  // empty: not coded
  std::uint64_t bytes = 0;
  // In the model file, without padding of zeros; for a patch its bytes again.
  std::uint64_t raw_bytes = 0;
  std::uint64_t entropy_bytes = 0;  // order-0 entropy (tensor_coding.h); raw_bytes if not coded
};

struct PackLedger {
  std::uint64_t total_bytes = 0;
  std::uint64_t model_bytes = 0;     // of the model file
  std::vector<LedgerEntry> entries;  // their bytes add up to total_bytes
};

// The entry of a part of a tensor.
LedgerEntry ledger_entry(const std::string& tensor, const CodedPart& part);
LedgerEntry patch_entry(const PackPatch& patch);
// The order-0 entropy of the bytes, rounded up.
std::uint64_t blob_entropy_bytes(std::span<const std::byte> plain);
// The entries of the index ("directory"; `raw_bytes` of header beside the metadata in the model
// file) and of the pack's own header and footer ("container").
void add_fixed_entries(PackLedger& ledger, const std::string& codec, std::uint64_t stored_bytes,
                       std::uint64_t entropy_bytes, std::uint64_t raw_bytes);

// Decodes everything, compares all checksums, and adds up. Errors: those of PackFile.
Result<PackLedger> audit_pack(const PackFile& pack, int threads, const PackProgress& progress);

}  // namespace bankai::packer
