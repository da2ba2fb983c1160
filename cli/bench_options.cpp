#include "cli/bench_options.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>

#include "cli/golf_opening.h"
#include "cli/kv_options.h"
#include "cli/model_options.h"
#include "core/bit_matrix.h"
#include "core/format.h"

namespace bankai::cli {

namespace po = boost::program_options;

namespace {

constexpr std::int64_t kMostRepetitions = 1000;
constexpr std::size_t kMostTokens = std::size_t{1} << 24U;
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

// "128,512"; a lone 0 means none where `least` is above 0.
Result<std::vector<std::size_t>> read_counts(const CommandLine& line, const char* option,
                                             std::size_t least) {
  const auto& text = line.get<std::string>(option);
  std::vector<std::size_t> counts;
  if (least > 0 && text == "0") return counts;
  const char* next = text.data();
  const char* end = next + text.size();
  while (true) {
    std::size_t count = 0;
    const auto [after, problem] = std::from_chars(next, end, count);
    if (problem != std::errc() || count < least || count > kMostTokens ||
        (after != end && *after != ','))
      return make_error(ErrorCode::kUsage, "--%s %s: expected numbers from %zu to %zu and commas",
                        option, quoted(text).c_str(), least, kMostTokens);
    counts.push_back(count);
    if (after == end) return counts;
    next = after + 1;
  }
}

std::string weight_names() {
  std::string names;
  for (const kernels::TensorType type : model::random_weight_types())
    names += (names.empty() ? "" : ", ") + std::string(kernels::tensor_type_info(type).name);
  return names;
}

Result<kernels::TensorType> read_weights(const CommandLine& line) {
  const auto& name = line.get<std::string>("weights");
  for (const kernels::TensorType type : model::random_weight_types()) {
    const std::string_view known = kernels::tensor_type_info(type).name;
    if (std::equal(name.begin(), name.end(), known.begin(), known.end(),
                   [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; }))
      return type;
  }
  return make_error(ErrorCode::kUsage, "--weights %s: expected one of %s", quoted(name).c_str(),
                    weight_names().c_str());
}

// Those of models with a float residual have whole groups everywhere.
bool has_whole_groups(const model::BinaryShape& shape) {
  return shape.width % kGroupCols == 0 && shape.feed_forward % kGroupCols == 0;
}

std::string binary_shape_names(bool in_groups) {
  std::string names;
  for (const model::BinaryShapeName& shape : model::binary_shapes())
    if (!in_groups || has_whole_groups(shape.shape))
      names += (names.empty() ? "" : ", ") + std::string(shape.name);
  return names;
}

Result<const model::BinaryShapeName*> read_binary_shape(const CommandLine& line, const char* option,
                                                        bool in_groups) {
  const auto& name = line.get<std::string>(option);
  for (const model::BinaryShapeName& shape : model::binary_shapes())
    if (shape.name == name && (!in_groups || has_whole_groups(shape.shape))) return &shape;
  return make_error(ErrorCode::kUsage, "--%s %s: expected one of %s", option, quoted(name).c_str(),
                    binary_shape_names(in_groups).c_str());
}

Status read_model(const CommandLine& line, BenchOptions& options) {
  constexpr const char* kSources[] = {"model", "random", "random-bit1", "random-residual"};
  const auto given = std::count_if(std::begin(kSources), std::end(kSources),
                                   [&](const char* source) { return line.has(source); });
  if (given != 1)
    return Error{ErrorCode::kUsage,
                 "expected one of --model FILE, --random SHAPE, --random-bit1 SHAPE and "
                 "--random-residual SHAPE (see --help)"};
  if (line.has("save") && line.has("model"))
    return Error{ErrorCode::kUsage, "--save goes with --random"};
  if (line.has("model")) options.model = line.get<std::string>("model");
  if (line.has("save")) options.save = line.get<std::string>("save");
  if (line.has("save") && (options.save.empty() || options.save == "-"))
    return Error{ErrorCode::kUsage, "--save: expected the name of a file"};
  options.seed = line.get<std::uint64_t>("seed");
  if (line.has("random-bit1")) {
    BANKAI_ASSIGN_OR_RETURN(options.binary_shape, read_binary_shape(line, "random-bit1", false));
  }
  if (line.has("random-residual")) {
    BANKAI_ASSIGN_OR_RETURN(options.residual_shape,
                            read_binary_shape(line, "random-residual", true));
  }
  if (!line.has("random")) return {};
  const auto& name = line.get<std::string>("random");
  options.shape = model::find_shape(name);
  if (options.shape == nullptr)
    return make_error(ErrorCode::kUsage, "--random %s: expected one of %s", quoted(name).c_str(),
                      shape_names().c_str());
  BANKAI_ASSIGN_OR_RETURN(options.weights, read_weights(line));
  return {};
}

}  // namespace

void add_bench_options(CommandLine& line) {
  add_model_options(line);
  const std::string shapes = "a model with random weights instead: " + shape_names();
  const std::string binary_shapes =
      "the same for a strictly binary model: " + binary_shape_names(false);
  const std::string residual_shapes =
      "the same for one with a float residual: " + binary_shape_names(true);
  const std::string types = "type of its matrices: " + weight_names();
  line.group("What to run")("model,m", po::value<std::string>(),
                            "model: GGUF, BIT1, a pack of one, or a parameter-golf checkpoint")(
      "random", po::value<std::string>(), shapes.c_str())("random-bit1", po::value<std::string>(),
                                                          binary_shapes.c_str())(
      "random-residual", po::value<std::string>(), residual_shapes.c_str())(
      "weights", po::value<std::string>()->default_value("Q1_0"), types.c_str())(
      "save", po::value<std::string>(),
      "keep the random model in this file; with -p 0 -n 0 nothing is measured")(
      "seed", po::value<std::uint64_t>()->default_value(1), "of the random weights");
  line.group("What to measure")("n-prompt,p", po::value<std::string>()->default_value("512"),
                                "tokens of a prompt, or a list: 128,512,4096 (0: no prompt)")(
      "n-gen,n", po::value<std::int64_t>()->default_value(128),
      "tokens to generate (0: no generation)")(
      "depth,d", po::value<std::string>()->default_value("0"),
      "positions in the cache before generation begins, or a list: 0,128,4096")(
      "profile", po::bool_switch(), "also show where the time goes, stage by stage")(
      "candidates,c", po::value<std::int64_t>(),
      "flips evaluated in each of up to eight layers (default: by the model's size; 0: none)")(
      "target", po::value<std::vector<std::string>>(),
      "evaluate them on these probes or texts, as bankai-search reads them (default: random "
      "tokens)")("control", po::value<std::vector<std::string>>(), "and on these, as controls")(
      "repetitions,r", po::value<std::int64_t>()->default_value(3),
      "of every measurement; the median counts")(
      "activations", po::value<std::string>(),
      "precision of activations: a8 or a16 (default: a8, and a16 for candidates)");
  add_kv_options(line);
  add_golf_rules(line);
}

Result<BenchOptions> read_bench_options(const CommandLine& line) {
  BenchOptions options;
  BANKAI_RETURN_IF_ERROR(read_model(line, options));
  BANKAI_ASSIGN_OR_RETURN(options.prompts, read_counts(line, "n-prompt", 1));
  BANKAI_ASSIGN_OR_RETURN(options.generated_tokens,
                          read_count(line, "n-gen", 0, static_cast<std::int64_t>(kMostTokens)));
  BANKAI_ASSIGN_OR_RETURN(options.depths, read_counts(line, "depth", 0));
  options.profile = line.get<bool>("profile");
  BANKAI_ASSIGN_OR_RETURN(options.repetitions,
                          read_count(line, "repetitions", 1, kMostRepetitions));
  if (line.has("candidates")) {
    BANKAI_ASSIGN_OR_RETURN(options.candidates, read_count(line, "candidates", 0, kMostCandidates));
  }
  if (line.has("target")) options.targets = line.get<std::vector<std::string>>("target");
  if (line.has("control")) options.controls = line.get<std::vector<std::string>>("control");
  if (line.has("activations")) {
    BANKAI_ASSIGN_OR_RETURN(options.activations, read_activation_mode(line));
    options.candidate_activations = options.activations;
  }
  BANKAI_ASSIGN_OR_RETURN(options.kv, read_kv_format(line));
  return options;
}

Status check_lengths(const BenchOptions& options, std::size_t context) {
  std::size_t longest = 0;
  for (const std::size_t tokens : options.prompts) longest = std::max(longest, tokens);
  if (options.generated_tokens > 0)
    for (const std::size_t depth : options.depths)
      longest = std::max(longest, depth + options.generated_tokens);
  if (longest <= context) return {};
  return make_error(ErrorCode::kUsage, "%zu tokens: the model is made for at most %zu", longest,
                    context);
}

}  // namespace bankai::cli
