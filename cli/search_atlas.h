// The sensitivity atlas from the command line: its files, and merging those that exist.
#pragma once

#include <string>
#include <vector>

#include "bfs/atlas.h"
#include "cli/command_line.h"
#include "model/binary_model.h"
#include "mpi/communicator.h"

namespace bankai::cli {

// The files of --atlas, none if it was not given. Errors: kUsage for another ending than .json or
// .svg, and for files that are there already, without --force.
Result<std::vector<std::string>> read_atlas_paths(const CommandLine& line);

// The rules that a strictly binary model of this shape runs by. Errors: kUsage.
Result<bfs::AtlasRules> read_atlas_rules(const CommandLine& line, const model::BinaryShape& shape);

// Writes the files and prints the atlas on standard output. Errors: kIo.
Status put_out_atlas(const bfs::Atlas& atlas, const CommandLine& line,
                     const std::vector<std::string>& paths);

// Collective: what --merge-atlas does. Every rank reads, so that all see the same errors; rank 0
// writes and prints. Errors: kUsage; kIo; kBadInput for a damaged
// atlas, and for one that does not belong to the first.
Status merge_atlas_files(const CommandLine& line, mpi::Communicator& communicator);

}  // namespace bankai::cli
