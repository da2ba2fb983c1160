#include <filesystem>

#include "cli/model_kind.h"
#include "cli/pack_commands.h"
#include "core/atomic_file.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "model/parallel.h"

namespace bankai::cli {

Result<std::string> pack_output(const CommandLine& line, const std::string& input) {
  if (!line.has("output")) return make_error(ErrorCode::kUsage, "-o FILE is missing (see --help)");
  const auto& output = line.get<std::string>("output");
  if (output == "-") return make_error(ErrorCode::kUsage, "-o -: expected the name of a file");
  std::error_code ignored;  // where one of them is not there
  if (std::filesystem::equivalent(input, output, ignored))
    return make_error(ErrorCode::kUsage, "-o %s: that is the input, which is not replaced",
                      output.c_str());
  return output;
}

Status check_can_write(const CommandLine& line, const std::string& output) {
  const Result<AtomicFile> removed_at_once = AtomicFile::create(output, pack_overwrite(line));
  return removed_at_once.ok() ? Status() : Status(removed_at_once.error());
}

Result<packer::PackFile> open_pack(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const ModelKind kind, detect_model_kind(path));
  BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  if (!packer::is_pack(file.bytes()) && (kind == ModelKind::kGolf || kind == ModelKind::kBit1))
    return make_error(ErrorCode::kUnsupported, "%s: %s; expected a pack (.bkpack)", path.c_str(),
                      kind_text(kind));
  return packer::PackFile::open(path);
}

Result<int> pack_threads(const CommandLine& line) {
  return line.threads(model::available_threads());
}

packer::PackProgress pack_progress(Progress& progress, const char* verb) {
  return [&progress, verb](const std::string& tensor, double fraction) {
    progress.update(std::string(verb) + " " + tensor, fraction);
  };
}

}  // namespace bankai::cli
