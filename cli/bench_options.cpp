#include "cli/bench_options.h"

#include "core/format.h"

namespace bankai::cli {

namespace po = boost::program_options;

namespace {

constexpr std::int64_t kMostRepetitions = 1000;
constexpr std::int64_t kMostTokens = std::int64_t{1} << 24;
constexpr std::int64_t kMostCandidates = std::int64_t{1} << 16;

std::string shape_names() {
  std::string names;
  for (const model::ModelShape& shape : model::model_shapes())
    names += (names.empty() ? "" : ", ") + std::string(shape.name);
  return names;
}

// Read as signed, so that a minus sign is refused and not taken for a huge number.
Result<std::size_t> read_count(const CommandLine& line, const char* option, std::int64_t least,
                               std::int64_t most) {
  const auto value = line.get<std::int64_t>(option);
  if (value < least || value > most)
    return make_error(ErrorCode::kUsage, "--%s %lld: expected %lld to %lld", option,
                      static_cast<long long>(value), static_cast<long long>(least),
                      static_cast<long long>(most));
  return static_cast<std::size_t>(value);
}

Status read_model(const CommandLine& line, BenchOptions& options) {
  if (line.has("model") == line.has("random"))
    return Error{ErrorCode::kUsage, "expected one of --model FILE and --random SHAPE (see --help)"};
  if (line.has("save") && !line.has("random"))
    return Error{ErrorCode::kUsage, "--save goes with --random"};
  if (line.has("model")) options.model = line.get<std::string>("model");
  if (line.has("save")) options.save = line.get<std::string>("save");
  if (line.has("save") && (options.save.empty() || options.save == "-"))
    return Error{ErrorCode::kUsage, "--save: expected the name of a file"};
  options.seed = line.get<std::uint64_t>("seed");
  if (!line.has("random")) return {};
  const auto& name = line.get<std::string>("random");
  options.shape = model::find_shape(name);
  if (options.shape == nullptr)
    return make_error(ErrorCode::kUsage, "--random %s: expected one of %s", quoted(name).c_str(),
                      shape_names().c_str());
  return {};
}

}  // namespace

void add_bench_options(CommandLine& line) {
  const std::string shapes = "a model with random weights instead: " + shape_names();
  line.group("Model")("model,m", po::value<std::string>(), "GGUF model")(
      "random", po::value<std::string>(), shapes.c_str())(
      "save", po::value<std::string>(),
      "keep the random model in this file; with -p 0 -n 0 nothing is measured")(
      "seed", po::value<std::uint64_t>()->default_value(1), "of the random weights");
  line.group("What to measure")("n-prompt,p", po::value<std::int64_t>()->default_value(512),
                                "tokens of a prompt (0: no prompt)")(
      "n-gen,n", po::value<std::int64_t>()->default_value(128),
      "tokens to generate (0: no generation)")(
      "candidates,c", po::value<std::int64_t>(),
      "flips evaluated in each of up to four layers (default: by the model's size; 0: none)")(
      "repetitions,r", po::value<std::int64_t>()->default_value(3),
      "of every measurement; the median counts")(
      "activations", po::value<std::string>(),
      "precision of activations: a8 or a16 (default: a8, and a16 for candidates)");
}

Result<BenchOptions> read_bench_options(const CommandLine& line) {
  BenchOptions options;
  BANKAI_RETURN_IF_ERROR(read_model(line, options));
  BANKAI_ASSIGN_OR_RETURN(options.prompt_tokens, read_count(line, "n-prompt", 0, kMostTokens));
  BANKAI_ASSIGN_OR_RETURN(options.generated_tokens, read_count(line, "n-gen", 0, kMostTokens));
  BANKAI_ASSIGN_OR_RETURN(options.repetitions,
                          read_count(line, "repetitions", 1, kMostRepetitions));
  if (line.has("candidates")) {
    BANKAI_ASSIGN_OR_RETURN(options.candidates, read_count(line, "candidates", 0, kMostCandidates));
  }
  if (line.has("activations")) {
    const auto& mode = line.get<std::string>("activations");
    if (mode != "a8" && mode != "a16")
      return make_error(ErrorCode::kUsage, "--activations %s: expected a8 or a16",
                        quoted(mode).c_str());
    options.activations =
        mode == "a8" ? kernels::ActivationMode::kA8 : kernels::ActivationMode::kA16;
    options.candidate_activations = options.activations;
  }
  return options;
}

}  // namespace bankai::cli
