#include "cli/search_atlas.h"

#include <filesystem>

#include "bfs/atlas_json.h"
#include "bfs/atlas_merge.h"
#include "cli/atlas_picture.h"
#include "cli/atlas_report.h"
#include "cli/binary_options.h"
#include "core/atomic_file.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "mpi/agreement.h"

namespace bankai::cli {
namespace {

using Paths = std::vector<std::string>;

Result<std::vector<bfs::Atlas>> read_atlases(const Paths& paths) {
  std::vector<bfs::Atlas> atlases;
  for (const std::string& path : paths) {
    BANKAI_ASSIGN_OR_RETURN(const std::string text, read_file(path));
    Result<bfs::Atlas> atlas = bfs::parse_atlas(text);
    if (!atlas.ok()) return with_context(atlas.error(), path);
    atlases.push_back(std::move(atlas).value());
    const Status fits = bfs::check_mergeable(atlases.front(), atlases.back());
    if (!fits.ok()) return with_context(fits.error(), path);
  }
  return atlases;
}

Status merge(const CommandLine& line, bool is_root) {
  for (const char* other : {"model", "target", "control", "heldout", "output"})
    if (line.has(other))
      return make_error(ErrorCode::kUsage, "--merge-atlas takes no --%s, only --atlas", other);
  BANKAI_ASSIGN_OR_RETURN(const Paths paths, read_atlas_paths(line));
  BANKAI_ASSIGN_OR_RETURN(const std::vector<bfs::Atlas> atlases,
                          read_atlases(line.get<Paths>("merge-atlas")));
  return is_root ? put_out_atlas(bfs::merge_atlases(atlases), line, paths) : Status();
}

}  // namespace

Result<Paths> read_atlas_paths(const CommandLine& line) {
  if (!line.has("atlas")) return Paths();
  for (const std::string& path : line.get<Paths>("atlas")) {
    if (!path.ends_with(".json") && !path.ends_with(".svg"))
      return make_error(ErrorCode::kUsage, "--atlas '%s': expected a name ending in .json or .svg",
                        path.c_str());
    if (!line.force() && std::filesystem::exists(path))
      return make_error(ErrorCode::kUsage, "%s: exists already; --force replaces it", path.c_str());
  }
  return line.get<Paths>("atlas");
}

Result<bfs::AtlasRules> read_atlas_rules(const CommandLine& line, const model::BinaryShape& shape) {
  BANKAI_ASSIGN_OR_RETURN(const double scale, read_logit_scale(line, shape));
  return bfs::AtlasRules{line.get<std::string>("tie"), line.get<std::string>("score"),
                         line.get<std::string>("threshold"), scale};
}

Status put_out_atlas(const bfs::Atlas& atlas, const CommandLine& line, const Paths& paths) {
  for (const std::string& path : paths)
    BANKAI_RETURN_IF_ERROR(
        write_file(path, path.ends_with(".svg") ? draw_atlas(atlas) : bfs::format_atlas(atlas),
                   line.force() ? Overwrite::kReplace : Overwrite::kRefuse));
  print_atlas(atlas, line.json());
  return {};
}

Status merge_atlas_files(const CommandLine& line, mpi::Communicator& communicator) {
  return mpi::agree(communicator, merge(line, communicator.rank() == 0));
}

}  // namespace bankai::cli
