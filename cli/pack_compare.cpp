// bankai-pack compare: the bytes of a parameter-golf checkpoint as it was published, and with our
// codecs for identical weights, part by part.
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/pack_commands.h"
#include "cli/report_text.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "model/bit1_file.h"
#include "model/gguf_file.h"
#include "packer/golf_report.h"
#include "packer/pack_file.h"

namespace bankai::cli {
namespace {

using packer::GolfPart;

constexpr const char* kKinds[] = {"trits", "signs", "scales", "numbers", "directory"};

GolfPart sum_of(const std::vector<GolfPart>& parts, std::string_view kind) {
  GolfPart sum;
  for (const GolfPart& part : parts) {
    if (!kind.empty() && part.kind != kind) continue;
    sum.elements += part.elements;
    sum.zlib_bytes += part.zlib_bytes;
    sum.entropy_bytes += part.entropy_bytes;
    sum.bytes += part.bytes;
  }
  return sum;
}

void print_row(const std::string& name, const GolfPart& part, const std::string& codec) {
  std::cout << without_trailing_blanks(
      format("%-28s %12llu %12llu %12llu %12llu  %s\n", name.c_str(),
             static_cast<unsigned long long>(part.elements),
             static_cast<unsigned long long>(part.zlib_bytes),
             static_cast<unsigned long long>(part.entropy_bytes),
             static_cast<unsigned long long>(part.bytes), codec.c_str()));
}

void print_json(const packer::GolfCheckpoint& checkpoint, std::uint64_t file_bytes,
                const std::vector<GolfPart>& parts) {
  nlohmann::ordered_json object{
      {"file_bytes", file_bytes},
      {"outer_compression", packer::outer_compression_name(checkpoint.content.compression)},
      {"archive_bytes", checkpoint.content.bytes.size()},
      {"total_bytes", sum_of(parts, "").bytes},
      {"zlib_bytes", sum_of(parts, "").zlib_bytes}};
  object["entries"] = nlohmann::ordered_json::array();
  for (const GolfPart& part : parts)
    object["entries"].push_back(nlohmann::ordered_json{{"name", part.name},
                                                       {"kind", part.kind},
                                                       {"codec", part.codec},
                                                       {"elements", part.elements},
                                                       {"zlib_bytes", part.zlib_bytes},
                                                       {"entropy_bytes", part.entropy_bytes},
                                                       {"bytes", part.bytes}});
  print_json_line(object);
}

}  // namespace

Status pack_compare(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const int threads, pack_threads(line));
  if (std::error_code ignored; std::filesystem::is_directory(files[0], ignored))
    return make_error(ErrorCode::kIo,
                      "%s: a folder; expected a parameter-golf checkpoint, a .ptz or .pt file "
                      "(bankai-pack pack and info tell where the bytes of a model folder go)",
                      files[0].c_str());
  BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(files[0]));
  if (file.bytes().empty())
    return make_error(ErrorCode::kBadInput, "%s: the file is empty", files[0].c_str());
  if (packer::is_pack(file.bytes()) || model::is_bit1(file.bytes()) ||
      model::GgufFile::parse(file.bytes(), files[0]).ok())
    return make_error(ErrorCode::kUnsupported,
                      "%s: no parameter-golf checkpoint; expected a .ptz or .pt file (bankai-pack "
                      "pack and info tell where the bytes of other models go)",
                      files[0].c_str());
  Result<packer::GolfCheckpoint> checkpoint = packer::read_golf_checkpoint(file.bytes());
  if (!checkpoint.ok()) return with_context(std::move(checkpoint).error(), files[0]);
  Result<std::vector<GolfPart>> repacked = packer::repack_golf(*checkpoint, threads);
  if (!repacked.ok()) return with_context(std::move(repacked).error(), files[0]);
  const std::vector<GolfPart>& parts = *repacked;
  const std::uint64_t file_bytes = file.bytes().size();
  if (line.json()) {
    print_json(*checkpoint, file_bytes, parts);
    return {};
  }
  std::cout << format("%-28s %12s %12s %12s %12s  %s\n", "part", "elements", "zlib-9", "order-0",
                      "ours", "codec");
  for (const GolfPart& part : parts) print_row(part.name, part, std::string(part.codec));
  for (const char* kind : kKinds)
    if (sum_of(parts, kind).elements > 0)
      print_row(std::string("= ") + kind, sum_of(parts, kind), "");
  const GolfPart all = sum_of(parts, "");
  print_row("= all", all, "");
  const auto ours = static_cast<double>(all.bytes);
  std::cout << format(
      "published file %llu bytes (%s around %zu); ours %llu, %.2f %% less\n",
      static_cast<unsigned long long>(file_bytes),
      std::string(packer::outer_compression_name(checkpoint->content.compression)).c_str(),
      checkpoint->content.bytes.size(), static_cast<unsigned long long>(all.bytes),
      100.0 * (1.0 - ours / static_cast<double>(file_bytes)));
  return {};
}

}  // namespace bankai::cli
