// bankai-pack pack and unpack.
#include <filesystem>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/pack_commands.h"
#include "cli/pack_report.h"
#include "core/format.h"
#include "packer/pack_model.h"
#include "packer/pack_writer.h"
#include "patch/patch_binary.h"
#include "patch/patch_file.h"

namespace bankai::cli {
namespace {

// "NAME=FILE", the file as a .bkp, whatever format it has.
Result<packer::NewPatch> read_named_patch(const std::string& text) {
  const std::size_t split = text.find('=');
  if (split == std::string::npos || split == 0 || split + 1 == text.size())
    return make_error(ErrorCode::kUsage, "--patch %s: expected NAME=FILE",
                      bankai::quoted(text).c_str());
  BANKAI_ASSIGN_OR_RETURN(const patch::Patch patch, patch::read_patch(text.substr(split + 1)));
  return packer::NewPatch{text.substr(0, split), patch::encode_binary(patch)};
}

Status print_packed(const CommandLine& line, const packer::PackLedger& ledger,
                    const std::string& path) {
  if (line.json()) {
    using Json = nlohmann::ordered_json;
    Json object = ledger_json<Json>(ledger, std::nullopt);
    object["output"] = path;
    print_json_line(object);
  } else {
    std::cout << format(
        "%s: %llu bytes, %.4f of the model file's %llu\n", path.c_str(),
        static_cast<unsigned long long>(ledger.total_bytes),
        static_cast<double>(ledger.total_bytes) / static_cast<double>(ledger.model_bytes),
        static_cast<unsigned long long>(ledger.model_bytes));
  }
  return {};
}

}  // namespace

Result<packer::PackOptions> read_pack_options(const CommandLine& line, Progress& progress) {
  packer::PackOptions options;
  BANKAI_ASSIGN_OR_RETURN(options.threads, pack_threads(line));
  options.min_decode_rate = line.get<std::uint32_t>("min-decode-rate");
  options.progress = pack_progress(progress, "packing");
  for (const std::string& text : line.get<std::vector<std::string>>("patch")) {
    BANKAI_ASSIGN_OR_RETURN(packer::NewPatch patch, read_named_patch(text));
    options.patches.push_back(std::move(patch));
  }
  return options;
}

Status pack_pack(const CommandLine& line, Files files) {
  if (line.has("budget-bytes")) return pack_within_budget(line, files);
  BANKAI_RETURN_IF_ERROR(
      line.accept_only("pack without --budget-bytes", "command file output patch min-decode-rate"));
  BANKAI_ASSIGN_OR_RETURN(const std::string output, pack_output(line));
  Progress progress(!line.quiet());
  BANKAI_ASSIGN_OR_RETURN(const packer::PackOptions options, read_pack_options(line, progress));
  BANKAI_ASSIGN_OR_RETURN(const model::GgufFile model, model::GgufFile::open(files[0]));
  BANKAI_ASSIGN_OR_RETURN(const packer::PackSource source, packer::pack_source(model));
  BANKAI_ASSIGN_OR_RETURN(const packer::PackLedger ledger,
                          packer::write_pack(source, options, output, pack_overwrite(line)));
  BANKAI_ASSIGN_OR_RETURN(const packer::PackFile written, packer::PackFile::open(output));
  if (Status status = packer::compare_with(written, model.bytes(), options.threads,
                                           pack_progress(progress, "verifying"));
      !status.ok()) {
    std::error_code ignored;  // what was found wrong shall not stay
    std::filesystem::remove(output, ignored);
    return status;
  }
  progress.finish();
  return print_packed(line, ledger, output);
}

Status pack_unpack(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const std::string output, pack_output(line));
  BANKAI_ASSIGN_OR_RETURN(const int threads, pack_threads(line));
  BANKAI_ASSIGN_OR_RETURN(const packer::PackFile pack, packer::PackFile::open(files[0]));
  Progress progress(!line.quiet());
  BANKAI_RETURN_IF_ERROR(packer::unpack_to_file(pack, output, pack_overwrite(line), threads,
                                                pack_progress(progress, "unpacking")));
  progress.finish();
  const std::uint64_t bytes = pack.index().file_bytes;
  if (line.json())
    print_json_line(nlohmann::ordered_json{{"output", output}, {"model_bytes", bytes}});
  else
    std::cout << output << format(": %llu bytes\n", static_cast<unsigned long long>(bytes));
  return {};
}

}  // namespace bankai::cli
