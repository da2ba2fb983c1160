// What bankai-pack packs: a GGUF file, the file in a pack, a BIT1 file or a checkpoint folder, as
// the tensors of a model file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/progress.h"
#include "core/mapped_file.h"
#include "core/result.h"
#include "model/gguf_file.h"
#include "packer/import_source.h"
#include "packer/pack_writer.h"

namespace bankai::cli {

struct PackInput {
  std::string path;
  packer::PackSource source;
  std::optional<model::GgufFile> gguf;    // none for the last two kinds
  std::vector<packer::NewPatch> patches;  // that the pack carries, as they are in it
  std::span<const std::byte> bytes;       // of the model file; empty for a folder

  // What the above reads from.
  std::optional<MappedFile> mapping;
  PageMemory image;
  std::optional<packer::ImportSource> import;
};

// A folder is converted as --to and its companions say, or keeps its types. Errors: kUsage for
// these options with anything else, kUnsupported for other kinds of models; those of the readers.
Result<std::unique_ptr<PackInput>> open_pack_input(const CommandLine& line,
                                                   const std::string& path);

// The patches of --patch, each checked against the model as bankai-infer does (patch_check.h), with
// those named before it on the model or without; --force takes them for other weights. Errors:
// kUsage for a folder; those of read_patch, check_patch_base and
// check_flips.
Result<std::vector<packer::NewPatch>> read_new_patches(const CommandLine& line,
                                                       const PackInput& input, Progress& progress);

// Those that the input carries, then those above, into the options.
Status add_patches(const CommandLine& line, PackInput& input, Progress& progress,
                   packer::PackOptions& options);

}  // namespace bankai::cli
