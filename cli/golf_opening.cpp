#include "cli/golf_opening.h"

#include <vector>

#include "core/format.h"
#include "core/mapped_file.h"
#include "packer/golf_builder.h"

namespace bankai::cli {

namespace po = boost::program_options;

namespace {

Result<packer::GolfAlpha> read_alpha(const CommandLine& line) {
  const auto& word = line.get<std::string>("alpha");
  if (word == "stored") return packer::GolfAlpha::kStored;
  if (word == "rederived") return packer::GolfAlpha::kRederived;
  return make_error(ErrorCode::kUsage, "--alpha %s: expected stored or rederived",
                    bankai::quoted(word).c_str());
}

}  // namespace

po::options_description_easy_init add_golf_rules(CommandLine& line) {
  return line.group("Parameter-golf checkpoints")(
      "alpha", po::value<std::string>()->default_value("stored"),
      "scale of a ternary matrix: stored, or rederived as PR #126's reload does")(
      "golf", po::value<std::vector<std::string>>(),
      "NAME=VALUE, a rule that the file does not hold (eps, rope-base, yarn, soft-cap, leak, "
      "context, passes, …), repeatable");
}

Result<model::GolfModel> open_golf_model(const CommandLine& line, const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const packer::GolfAlpha alpha, read_alpha(line));
  const auto settings =
      line.has("golf") ? line.get<std::vector<std::string>>("golf") : std::vector<std::string>();
  BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  if (!packer::looks_like_golf(file.bytes()))
    return make_error(ErrorCode::kUnsupported, "%s: expected a parameter-golf checkpoint",
                      path.c_str());
  Result<packer::GolfCheckpoint> checkpoint = packer::read_golf_checkpoint(file.bytes());
  if (!checkpoint.ok()) return with_context(std::move(checkpoint).error(), path);
  Result<model::GolfModel> built = packer::build_golf_model(*checkpoint, alpha, settings);
  if (!built.ok()) return with_context(std::move(built).error(), path);
  return built;
}

const char* golf_activations_text(const model::GolfParameters& parameters) {
  return parameters.quantizes_activations ? "8 bits per token" : "f32";
}

}  // namespace bankai::cli
