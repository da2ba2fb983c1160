// bankai-pack convert: other model files, or other block types, to GGUF.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/model_kind.h"
#include "cli/model_options.h"
#include "cli/pack_commands.h"
#include "cli/progress.h"
#include "cli/report_text.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "kernels/ternary_blocks.h"
#include "model/gguf_file.h"
#include "model/parallel.h"
#include "packer/import.h"
#include "packer/mlx_export.h"
#include "packer/pack_file.h"

namespace bankai::cli {
namespace {

using kernels::TensorType;
using packer::ScaleScope;

struct ScopeName {
  const char* name;
  ScaleScope scope;
};
constexpr ScopeName kScopes[] = {
    {"tensor", ScaleScope::kTensor}, {"row", ScaleScope::kRow}, {"group", ScaleScope::kGroup}};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

// "q1_0": a type's name in small letters.
Result<TensorType> parse_type(const std::string& text, const char* option) {
  std::string names;
  for (const kernels::TensorTypeInfo& type : kernels::kTensorTypes) {
    if (!packer::can_encode(type.type)) continue;
    if (lower(type.name) == lower(text)) return type.type;
    names += (names.empty() ? "" : ", ") + lower(type.name);
  }
  return make_error(ErrorCode::kUsage, "--%s %s: expected one of %s", option, text.c_str(),
                    names.c_str());
}

Result<ScaleScope> parse_scope(const std::string& text) {
  for (const ScopeName& entry : kScopes)
    if (text == entry.name) return entry.scope;
  return make_error(ErrorCode::kUsage, "--scale %s: expected tensor, row or group", text.c_str());
}

constexpr const char* kMlx = "mlx";  // in place of a type: the way to MLX

// A scale is an option of the types that have one for a block and nothing else.
Status check_scale(const CommandLine& line, const packer::ImportOptions& options) {
  const TensorType type = options.encoding.type;
  const bool has_choice =
      !options.keeps_types && (type == TensorType::kQ1_0 || kernels::is_ternary(type));
  if (options.encoding.scope == ScaleScope::kGroup || has_choice) return {};
  return make_error(ErrorCode::kUsage,
                    "--scale %s: only the 1-bit and ternary types share scales; --to is %s",
                    line.get<std::string>("scale").c_str(),
                    line.has("to") ? line.get<std::string>("to").c_str() : "missing");
}

}  // namespace

Result<packer::ImportOptions> read_import_options(const CommandLine& line) {
  packer::ImportOptions options;
  options.keeps_types = !line.has("to");
  if (const std::string to = options.keeps_types ? kMlx : line.get<std::string>("to"); to != kMlx) {
    BANKAI_ASSIGN_OR_RETURN(options.encoding.type, parse_type(to, "to"));
  }
  BANKAI_ASSIGN_OR_RETURN(options.encoding.scope, parse_scope(line.get<std::string>("scale")));
  options.encoding.code_bits = line.get<unsigned>("bits");
  if (options.encoding.code_bits < 2 || options.encoding.code_bits > 8)
    return make_error(ErrorCode::kUsage, "--bits %u: expected 2 to 8", options.encoding.code_bits);
  if (line.has("embedding")) {
    BANKAI_ASSIGN_OR_RETURN(options.embedding_type,
                            parse_type(line.get<std::string>("embedding"), "embedding"));
  }
  options.pre_tokenizer = line.get<std::string>("pre");
  BANKAI_ASSIGN_OR_RETURN(options.threads, line.threads(model::available_threads()));
  BANKAI_ASSIGN_OR_RETURN(const model::LoadOptions load, read_load_options(line, options.threads));
  options.i2s_layout = load.i2s_layout.value_or(options.i2s_layout);
  BANKAI_RETURN_IF_ERROR(check_scale(line, options));
  return options;
}

namespace {

bool is_i2s(TensorType type) { return type == TensorType::kI2_S; }

// False for files that GGUF's reader will refuse.
Result<bool> holds_i2s(const std::string& input) {
  BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(input));
  if (packer::is_pack(file.bytes())) {
    BANKAI_ASSIGN_OR_RETURN(const packer::PackFile pack,
                            packer::PackFile::parse(file.bytes(), input));
    return std::ranges::any_of(pack.index().outline.tensors,
                               [](const auto& tensor) { return is_i2s(tensor.type); });
  }
  const auto gguf = model::GgufFile::parse(file.bytes(), input);
  return gguf.ok() && std::ranges::any_of(gguf->tensors(),
                                          [](const auto& tensor) { return is_i2s(tensor.type); });
}

// What `convert` reads: a folder of a checkpoint, a GGUF file or a pack.
Status check_input(const CommandLine& line, const std::string& input) {
  std::error_code ignored;
  if (std::filesystem::is_directory(input, ignored)) {
    if (!packer::is_checkpoint_folder(input))
      return make_error(ErrorCode::kBadInput, "%s: a folder without config.json", input.c_str());
    if (line.get<std::string>("to") == kMlx)
      return make_error(ErrorCode::kUsage,
                        "%s: --to mlx takes a GGUF file; convert the folder to one first",
                        input.c_str());
    return {};
  }
  BANKAI_ASSIGN_OR_RETURN(const ModelKind kind, detect_model_kind(input));
  if (kind == ModelKind::kGolf || kind == ModelKind::kBit1)
    return make_error(ErrorCode::kUnsupported,
                      "%s: %s; expected a checkpoint folder, a GGUF file, or a pack of one",
                      input.c_str(), kind_text(kind));
  if (!line.has("i2s-layout") && !line.quiet()) {
    BANKAI_ASSIGN_OR_RETURN(const bool has_i2s, holds_i2s(input));
    if (has_i2s)
      std::fprintf(
          stderr,
          "%s: warning: %s has I2_S tensors, whose layout no file tells; 128/32 is assumed "
          "(--i2s-layout)\n",
          line.program().c_str(), input.c_str());
  }
  return {};
}

void print_report(const CommandLine& line, const std::string& output,
                  const packer::ImportReport& report) {
  if (line.json()) {
    print_json_line(nlohmann::ordered_json{{"output", output},
                                           {"architecture", report.architecture},
                                           {"tensors", report.tensors},
                                           {"encoded", report.encoded},
                                           {"input_bytes", report.input_bytes},
                                           {"output_bytes", report.output_bytes}});
    return;
  }
  std::printf("%s: %s, %s, %llu of them encoded, %.1f MB from %.1f MB\n", output.c_str(),
              report.architecture.c_str(), counted(report.tensors, "tensor").c_str(),
              static_cast<unsigned long long>(report.encoded),
              static_cast<double>(report.output_bytes) * 1e-6,
              static_cast<double>(report.input_bytes) * 1e-6);
}

}  // namespace

void add_convert_options(CommandLine& line) {
  namespace po = boost::program_options;
  line.group("Options of convert")(
      "to", po::value<std::string>(),
      "type of the matrices (pack: of a folder): q1_0, q2_0, pq2_0, tq1_0, tq2_0, q8_0, "
      "f16, bf16, f32; or mlx: a folder with MLX's 1-bit words")(
      "scale", po::value<std::string>()->default_value("group"),
      "1-bit and ternary: what shares a scale: tensor, row or group (a block)")(
      "bits", po::value<unsigned>()->default_value(8), "q8_0: bits that codes may use, 2 to 8")(
      "embedding", po::value<std::string>(), "type of the token embedding and the head")(
      "pre", po::value<std::string>()->default_value("", ""),
      "the pre-tokenizer's name in GGUF, instead of what tokenizer.json tells");
}

Status pack_convert(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const std::string output, pack_output(line, files[0]));
  if (!line.has("to")) return make_error(ErrorCode::kUsage, "--to TYPE is missing (see --help)");
  BANKAI_ASSIGN_OR_RETURN(packer::ImportOptions options, read_import_options(line));
  BANKAI_RETURN_IF_ERROR(check_input(line, files[0]));
  Progress progress(!line.quiet());
  options.progress = [&progress](std::uint64_t done, std::uint64_t total, const std::string& name) {
    progress.update(name,
                    total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total));
  };
  const auto convert =
      line.get<std::string>("to") == kMlx ? packer::export_mlx : packer::convert_model;
  const auto report = convert(files[0], output, pack_overwrite(line), options);
  progress.finish();
  if (!report.ok()) return report.error();
  print_report(line, output, *report);
  return {};
}

}  // namespace bankai::cli
