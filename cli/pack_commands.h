// The subcommands of bankai-pack. Each takes the parsed command line and the files after its name,
// of which there are as many as the table in bankai_pack.cpp says; results go to standard output.
#pragma once

#include <span>
#include <string>

#include "cli/command_line.h"
#include "cli/progress.h"
#include "cli/subcommands.h"
#include "core/atomic_file.h"
#include "core/result.h"
#include "packer/import.h"
#include "packer/pack_file.h"
#include "packer/pack_writer.h"

namespace bankai::cli {

Status pack_pack(const CommandLine& line, Files files);
Status pack_unpack(const CommandLine& line, Files files);
Status pack_info(const CommandLine& line, Files files);
Status pack_verify(const CommandLine& line, Files files);
Status pack_convert(const CommandLine& line, Files files);
Status pack_compare(const CommandLine& line, Files files);
void add_convert_options(CommandLine& line);
Status pack_plan(const CommandLine& line, Files files);
Status pack_within_budget(const CommandLine& line, Files files);  // pack --budget-bytes
void add_plan_options(CommandLine& line);

// What they share.

// The value of --output. Errors: kUsage if it was not given, is standard output, or is the input.
Result<std::string> pack_output(const CommandLine& line, const std::string& input);
// Whether the file could be written, before the work for it. Errors: those of AtomicFile::create.
Status check_can_write(const CommandLine& line, const std::string& output);
// Errors: kUnsupported for a model that is no pack, with what can be done with it; those of
// PackFile.
Result<packer::PackFile> open_pack(const std::string& path);
Result<int> pack_threads(const CommandLine& line);
// What "VERB TENSOR" is shown for. `progress` outlives the result.
packer::PackProgress pack_progress(Progress& progress, const char* verb);
// How to pack: threads and --min-decode-rate. Errors: kUsage.
Result<packer::PackOptions> read_pack_options(const CommandLine& line, Progress& progress);
// How to convert: --to and its companions. Without --to types are kept. Errors: kUsage.
Result<packer::ImportOptions> read_import_options(const CommandLine& line);
inline Overwrite pack_overwrite(const CommandLine& line) {
  return line.force() ? Overwrite::kReplace : Overwrite::kRefuse;
}

}  // namespace bankai::cli
