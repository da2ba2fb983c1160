// Writes .bkpack files: tensor by tensor, so that never more than one is in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/atomic_file.h"
#include "core/result.h"
#include "model/gguf_file.h"
#include "packer/gguf_image.h"
#include "packer/pack_file.h"
#include "packer/pack_ledger.h"

namespace bankai::packer {

// What is known of a tensor that was coded: its entry in the index, and those in the ledger.
struct PackedTensor {
  PackTensor entry;
  std::vector<LedgerEntry> parts;

  std::uint64_t bytes() const;
};

struct PackedBlob {
  PackBlob blob;
  LedgerEntry entry;
};

// What measure_pack() has coded of a model file beside its tensors.
struct PackedBlobs {
  std::optional<PackedBlob> values, gaps;
  std::vector<PackPatch> patches;  // those of the options, or none yet
};

// A model file to be packed: of its own bytes, or with other tensors in the place of some.
struct PackSource {
  GgufOutline outline;
  std::span<const std::byte> values;  // encoded keys and values
  std::vector<std::byte> gaps;        // bytes between, one gap after the other; empty: zeros
  std::uint64_t file_bytes = 0;
  // The bytes of a tensor, valid until the next call.
  std::function<Result<std::span<const std::byte>>(std::size_t tensor)> data;
  // May be null. Else measure_pack() takes what it gives in place of coding the tensor; nullptr: it
  // is coded.
  std::function<const PackedTensor*(std::size_t tensor)> measured;
  // May be null. Else measure_pack() takes from it what is there, in place of coding it, and adds
  // what is not. REQUIRES: the same values, gaps (or none) and options at each use.
  PackedBlobs* blobs = nullptr;
};

// The file as it is. It must outlive the source. Errors: kUnsupported for a file whose header would
// not come back as it was.
Result<PackSource> pack_source(const model::GgufFile& file);

struct NewPatch {
  std::string name;
  std::vector<std::byte> bytes;  // a .bkp file
};

struct PackOptions {
  int threads = 1;
  std::uint32_t min_decode_rate = 0;  // elements per microsecond and core
  std::vector<NewPatch> patches;
  PackProgress progress;  // may be null
};

// Writes the pack. The same bytes for any number of threads. Errors: kIo and kUsage of AtomicFile;
// kUsage for patch names that are used twice or that no pack takes; those of `data`.
Result<PackLedger> write_pack(const PackSource& source, const PackOptions& options,
                              const std::string& path, Overwrite overwrite);

// A tensor as write_pack would code it. Errors: those of code_tensor, with the name.
Result<PackedTensor> measure_tensor(const ImageTensor& tensor, std::span<const std::byte> data,
                                    const PackOptions& options);
// All tensors of a source. Errors: those above and of `data`.
Result<std::vector<PackedTensor>> measure_tensors(const PackSource& source,
                                                  const PackOptions& options);

// What write_pack would write, to the byte, without keeping it.
Result<PackLedger> measure_pack(const PackSource& source, const PackOptions& options);

}  // namespace bankai::packer
