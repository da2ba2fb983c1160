// bankai-pack info and verify.
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/pack_commands.h"
#include "cli/pack_report.h"
#include "cli/report_text.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "packer/pack_ledger.h"
#include "packer/pack_model.h"
#include "patch/patch_binary.h"

namespace bankai::cli {
namespace {

using Json = nlohmann::ordered_json;

Result<patch::Patch> read_patch(const packer::PackFile& pack, std::size_t index) {
  BANKAI_ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, pack.patch(index));
  auto patch = patch::decode_binary(bytes);
  if (patch.ok()) return patch;
  return with_context(std::move(patch).error(),
                      pack.path() + ": patch " + bankai::quoted(pack.index().patches[index].name));
}

}  // namespace

Status pack_info(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const int threads, pack_threads(line));
  BANKAI_ASSIGN_OR_RETURN(const packer::PackFile pack, open_pack(files[0]));
  Progress progress(!line.quiet());
  BANKAI_ASSIGN_OR_RETURN(
      const packer::PackLedger ledger,
      packer::audit_pack(pack, threads, pack_progress(progress, "decoding for the entropies")));
  progress.finish();
  Json patches = Json::array();
  std::string lines;
  for (std::size_t i = 0; i < pack.index().patches.size(); ++i) {
    BANKAI_ASSIGN_OR_RETURN(const patch::Patch patch, read_patch(pack, i));
    const packer::PackPatch& entry = pack.index().patches[i];
    patches.push_back(
        {{"name", entry.name}, {"bytes", entry.bytes}, {"flips", patch.flips.size()}});
    lines += format("patch %s: %s, %s\n", entry.name.c_str(), counted(entry.bytes, "byte").c_str(),
                    counted(patch.flips.size(), "flip").c_str());
  }
  if (line.json()) {
    Json object = ledger_json<Json>(ledger, std::nullopt);
    object["patches"] = patches;
    print_json_line(object);
  } else {
    print_ledger_text(ledger, line.get<bool>("verbose"));
    std::cout << lines;
  }
  return {};
}

Status pack_verify(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const int threads, pack_threads(line));
  BANKAI_ASSIGN_OR_RETURN(const packer::PackFile pack, open_pack(files[0]));
  Progress progress(!line.quiet());
  const packer::PackProgress report = pack_progress(progress, "verifying");
  if (line.has("against")) {
    BANKAI_ASSIGN_OR_RETURN(const MappedFile model,
                            MappedFile::open(line.get<std::string>("against")));
    BANKAI_RETURN_IF_ERROR(packer::compare_with(pack, model.bytes(), threads, report));
  } else {
    BANKAI_RETURN_IF_ERROR(pack.decode_all(
        [](std::uint64_t, std::span<const std::byte>) { return Status(); }, threads, report));
  }
  for (std::size_t i = 0; i < pack.index().patches.size(); ++i)
    BANKAI_RETURN_IF_ERROR(read_patch(pack, i));
  progress.finish();
  if (line.json())
    print_json_line(Json{{"verified", true},
                         {"total_bytes", pack.total_bytes()},
                         {"model_bytes", pack.index().file_bytes},
                         {"tensors", pack.index().tensors.size()},
                         {"patches", pack.index().patches.size()}});
  else
    std::cout << files[0] << ": " << counted(pack.index().tensors.size(), "tensor") << " and "
              << counted(pack.index().patches.size(), "patch", "patches")
              << " as they were packed\n";
  return {};
}

}  // namespace bankai::cli
