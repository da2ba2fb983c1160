// The subcommands of bankai-patch. Each takes the parsed command line and the files after its name,
// of which there are as many as the table in bankai_patch.cpp says; results go to standard output.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/subcommands.h"
#include "core/atomic_file.h"
#include "core/result.h"
#include "patch/patch.h"

namespace bankai::cli {

Status patch_apply(const CommandLine& line, Files files);
Status patch_revert(const CommandLine& line, Files files);
Status patch_diff(const CommandLine& line, Files files);
Status patch_compose(const CommandLine& line, Files files);
Status patch_convert(const CommandLine& line, Files files);
Status patch_validate(const CommandLine& line, Files files);
Status patch_info(const CommandLine& line, Files files);
Status patch_overlap(const CommandLine& line, Files files);

// What they share.
// From files; with a model, which may be a pack, also those in it by their names.
Result<std::vector<patch::Patch>> read_patches(Files files, const std::string& model = "");
// The value of --output. Errors: kUsage if it was not given.
Result<std::string> required_output(const CommandLine& line);
inline Overwrite overwrite_mode(const CommandLine& line) {
  return line.force() ? Overwrite::kReplace : Overwrite::kRefuse;
}
// A line on standard error, unless --quiet.
void remark(const CommandLine& line, const std::string& text);
// What `info` says of a patch, as text or as JSON; `output` is the file it went to, if any.
void print_info_text(const patch::Patch& patch);
void print_info_json(const patch::Patch& patch, const std::string& output = "");

}  // namespace bankai::cli
