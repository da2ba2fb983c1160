// Models out of packs: the whole model file in memory, or on disk.
#pragma once

#include <string>

#include "core/atomic_file.h"
#include "core/result.h"
#include "model/gguf_file.h"
#include "packer/pack_file.h"

namespace bankai::packer {

// All bytes of the model file that the pack holds, decoded by `threads` threads; the memory may be
// longer. Errors: those of PackFile; kIo for too little memory.
Result<PageMemory> unpack_image(const PackFile& pack, int threads,
                                const PackProgress& progress = {});

// general.architecture of the GGUF file in the pack. Errors: kBadInput for metadata that are none.
Result<std::string> packed_architecture(const PackFile& pack);

// The model file that the pack holds, decoded into memory by `threads` threads; its name is the
// pack's. Errors: those of PackFile and GgufFile; kIo for too little memory.
Result<model::GgufFile> unpack_to_memory(const PackFile& pack, int threads,
                                         const PackProgress& progress = {});

// A GGUF file, mapped, or the one in a pack, decoded into memory. Errors: those of GgufFile::open
// and unpack_to_memory.
Result<model::GgufFile> open_gguf_or_pack(const std::string& path, int threads);

// Writes the model file that the pack holds, a tensor at a time. Errors: those of PackFile and
// AtomicFile.
Status unpack_to_file(const PackFile& pack, const std::string& path, Overwrite overwrite,
                      int threads, const PackProgress& progress);

// Decodes everything and compares it with a file, byte by byte. Errors: those of PackFile;
// kVerification with the first offset, and the tensor there, where they differ.
Status compare_with(const PackFile& pack, std::span<const std::byte> file, int threads,
                    const PackProgress& progress);

}  // namespace bankai::packer
