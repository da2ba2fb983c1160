// A checkpoint as a model file to be packed, without that file ever standing on disk: the same
// bytes as convert_model() writes, a tensor at a time.
#pragma once

#include <memory>
#include <string>

#include "core/page_memory.h"
#include "core/result.h"
#include "packer/import.h"
#include "packer/pack_writer.h"

namespace bankai::packer {

struct ImportSource {
  std::shared_ptr<const void> keeps;  // what the source reads from
  PackSource source;
};

// Of a folder. In memory are one converted tensor and a few rows per thread; pages of the input
// that were read are handed back. Errors: those of convert_model.
Result<ImportSource> import_source(const std::string& folder, const ImportOptions& options);

// All bytes of the model file that a source stands for; the memory may be longer. Errors: kIo for
// too little memory; those of `data`.
Result<PageMemory> source_image(const PackSource& source);

}  // namespace bankai::packer
