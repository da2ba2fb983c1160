// bankai-pack pack and unpack.
#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/pack_commands.h"
#include "cli/pack_input.h"
#include "cli/pack_report.h"
#include "core/format.h"
#include "packer/pack_model.h"
#include "packer/pack_writer.h"

namespace bankai::cli {
namespace {

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

// Decodes all of the pack again: against every byte of the input, or of a folder, whose file stands
// nowhere, against the checksums of what was converted.
Status verify_written(const PackInput& input, const std::string& output, int threads,
                      Progress& progress) {
  BANKAI_ASSIGN_OR_RETURN(const packer::PackFile written, packer::PackFile::open(output));
  const packer::PackProgress report = pack_progress(progress, "verifying");
  if (!input.bytes.empty()) return packer::compare_with(written, input.bytes, threads, report);
  return written.decode_all([](std::uint64_t, std::span<const std::byte>) { return Status(); },
                            threads, report);
}

}  // namespace

Result<packer::PackOptions> read_pack_options(const CommandLine& line, Progress& progress) {
  packer::PackOptions options;
  BANKAI_ASSIGN_OR_RETURN(options.threads, pack_threads(line));
  options.min_decode_rate = line.get<std::uint32_t>("min-decode-rate");
  options.progress = pack_progress(progress, "packing");
  return options;
}

Status add_patches(const CommandLine& line, PackInput& input, Progress& progress,
                   packer::PackOptions& options) {
  options.patches = std::move(input.patches);
  BANKAI_ASSIGN_OR_RETURN(std::vector<packer::NewPatch> more,
                          read_new_patches(line, input, progress));
  for (packer::NewPatch& patch : more) options.patches.push_back(std::move(patch));
  return {};
}

Status pack_pack(const CommandLine& line, Files files) {
  if (line.has("budget-bytes")) return pack_within_budget(line, files);
  BANKAI_RETURN_IF_ERROR(line.accept_only(
      "pack without --budget-bytes",
      "command file output patch min-decode-rate i2s-layout to scale bits embedding pre"));
  BANKAI_ASSIGN_OR_RETURN(const std::string output, pack_output(line, files[0]));
  BANKAI_RETURN_IF_ERROR(check_can_write(line, output));
  Progress progress(!line.quiet());
  BANKAI_ASSIGN_OR_RETURN(packer::PackOptions options, read_pack_options(line, progress));
  BANKAI_ASSIGN_OR_RETURN(const std::unique_ptr<PackInput> input, open_pack_input(line, files[0]));
  BANKAI_RETURN_IF_ERROR(add_patches(line, *input, progress, options));
  BANKAI_ASSIGN_OR_RETURN(const packer::PackLedger ledger,
                          packer::write_pack(input->source, options, output, pack_overwrite(line)));
  if (Status status = verify_written(*input, output, options.threads, progress); !status.ok()) {
    std::error_code ignored;  // what was found wrong shall not stay
    std::filesystem::remove(output, ignored);
    return status;
  }
  progress.finish();
  return print_packed(line, ledger, output);
}

Status pack_unpack(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const std::string output, pack_output(line, files[0]));
  BANKAI_ASSIGN_OR_RETURN(const int threads, pack_threads(line));
  BANKAI_ASSIGN_OR_RETURN(const packer::PackFile pack, open_pack(files[0]));
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
