#include "cli/search_arguments.h"

#include <cmath>
#include <filesystem>
#include <map>
#include <utility>

#include "cli/binary_options.h"
#include "cli/model_options.h"
#include "cli/parse.h"
#include "cli/search_atlas.h"
#include "core/format.h"

namespace bankai::cli {

namespace po = boost::program_options;
using Paths = std::vector<std::string>;

namespace {

constexpr std::size_t kLeastPopulation = 2;
constexpr std::size_t kMostPopulation = std::size_t{1} << 20U;

// "a | b | c" of a list of things with names.
template <typename List>
std::string names_of(const List& list) {
  std::string text;
  for (const auto& entry : list) text += (text.empty() ? "" : ", ") + std::string(entry.name);
  return text;
}

Result<bfs::Metric> read_metric(const std::string& name, const char* option) {
  const std::optional<bfs::Metric> metric = bfs::find_metric(name);
  if (!metric)
    return make_error(ErrorCode::kUsage, "%s '%s': expected one of %s", option, name.c_str(),
                      names_of(bfs::all_metrics()).c_str());
  return *metric;
}

Status read_metrics(const CommandLine& line, bfs::SearchOptions& options) {
  BANKAI_ASSIGN_OR_RETURN(options.metric, read_metric(line.get<std::string>("metric"), "--metric"));
  options.control_metric = options.metric;
  if (line.has("control-metric")) {
    BANKAI_ASSIGN_OR_RETURN(
        options.control_metric,
        read_metric(line.get<std::string>("control-metric"), "--control-metric"));
  }
  // The distance to the unpatched model says nothing about what a target should become.
  if (options.metric == bfs::Metric::kKl) options.metric = bfs::Metric::kNll;
  return {};
}

Result<std::vector<TensorAddress>> read_tensors(const CommandLine& line,
                                                const bfs::SearchModel& model) {
  const std::size_t num_layers = model.num_layers();
  const std::string all = "0-" + std::to_string(num_layers - 1);
  BANKAI_ASSIGN_OR_RETURN(
      const auto layers,
      parse_layers(line.has("layers") ? line.get<std::string>("layers") : all, num_layers));
  BANKAI_ASSIGN_OR_RETURN(const auto projections,
                          parse_projections(line.get<std::string>("tensors")));
  std::vector<TensorAddress> tensors;
  const auto add = [&](TensorAddress tensor) -> Status {
    // Where only the table of outputs can be searched, it is not the width that is wrong.
    if (tensor.projection == Projection::kEmbedding && !model.weights()(tensor) &&
        model.weights()({0, Projection::kHead}))
      return make_error(ErrorCode::kUnsupported,
                        "%s: --tensors embed: the embedding of this model is made of floats, so it "
                        "has nothing to flip",
                        line.get<std::string>("model").c_str());
    if (!model.weights()(tensor))
      return make_error(ErrorCode::kUnsupported,
                        "%s: %s is not a 1-bit or ternary matrix of a width in groups of 128, so "
                        "it has nothing to flip",
                        line.get<std::string>("model").c_str(), to_string(tensor).c_str());
    tensors.push_back(tensor);
    return {};
  };
  for (const std::uint32_t layer : layers)
    for (const Projection projection : projections)
      if (projection < Projection::kEmbedding) BANKAI_RETURN_IF_ERROR(add({layer, projection}));
  for (const Projection projection : projections) {
    if (projection < Projection::kEmbedding) continue;
    if (!model.searches_tables())
      return make_error(
          ErrorCode::kUsage,
          "--tensors %s: embedding and head are searched in BIT1 models, the head also "
          "in bankai-binary ones; in this one choose among gate,up,down,q,k,v,o",
          std::string(short_name(projection)).c_str());
    BANKAI_RETURN_IF_ERROR(add({0, projection}));
  }
  return tensors;
}

Result<std::vector<bfs::WeightedData>> read_all(const CommandLine& line,
                                                const std::string& option) {
  std::vector<bfs::WeightedData> sources;
  if (!line.has(option)) return sources;
  for (const std::string& text : line.get<Paths>(option)) {
    BANKAI_ASSIGN_OR_RETURN(const WeightedPath path, parse_weighted_path(text));
    BANKAI_ASSIGN_OR_RETURN(bfs::DataSet data, bfs::read_data_set(path.path));
    sources.push_back({std::move(data), path.weight});
  }
  return sources;
}

// Files that the search writes must not replace each other.
Status check_distinct(const std::vector<std::pair<std::string, std::string>>& outputs) {
  std::map<std::filesystem::path, std::string> options;
  for (const auto& [option, path] : outputs) {
    if (path.empty()) continue;
    const auto whole = std::filesystem::absolute(path).lexically_normal();
    const auto [before, is_new] = options.try_emplace(whole, option);
    if (!is_new)
      return make_error(ErrorCode::kUsage, "%s is the file of %s and of %s: expected two files",
                        path.c_str(), before->second.c_str(), option.c_str());
  }
  return {};
}

}  // namespace

void add_search_options(CommandLine& line) {
  const bfs::SearchOptions defaults;
  const SearchFiles files;
  add_model_options(line);
  line.group("Input")("model,m", po::value<std::string>(),
                      "model of 1-bit or ternary matrices: GGUF, BIT1, or a pack of one")(
      "target", po::value<Paths>(),
      "what to improve: probes (.json), texts or probes by line (.jsonl), or plain text; "
      "FILE or FILE:WEIGHT, repeatable")("control", po::value<Paths>(),
                                         "what must not get worse; like --target")(
      "heldout", po::value<Paths>(),
      "never searched on: scored before and after, and by --patience");
  line.group("What counts")("metric", po::value<std::string>()->default_value("nll"),
                            names_of(bfs::all_metrics()).c_str())(
      "control-metric", po::value<std::string>(), "metric of the controls, if another")(
      "control-penalty", po::value<double>()->default_value(defaults.control_penalty),
      "weight of lost control score")("activations", po::value<std::string>()->default_value("a16"),
                                      "precision of activations: a8 or a16")(
      "ctx", po::value<std::size_t>()->default_value(defaults.text_context),
      "tokens per window of a text");
  line.group("Where to look, and how far")("layers", po::value<std::string>(),
                                           "layers such as 1-4,34 (default: all)")(
      "tensors", po::value<std::string>()->default_value("gate,up"),
      "some of gate,up,down,q,k,v,o; of BIT1 models also embed,head, of bankai-binary models head")(
      "granularity", po::value<std::string>()->default_value("row"),
      "what one flip is: row, group, bit (of ternary weights a step) or mixed")(
      "strategy", po::value<std::string>()->default_value("greedy"),
      names_of(bfs::all_strategies()).c_str())("candidates",
                                               po::value<std::uint64_t>()->default_value(0),
                                               "exhaustive: evaluate a sample of so many (0: all); "
                                               "on binary models greedy and evolve propose "
                                               "from one, instead of by predictions")(
      "shortlist", po::value<std::uint64_t>()->default_value(defaults.shortlist),
      "greedy: best candidates by first order to verify in a round")(
      "iterations", po::value<std::uint64_t>()->default_value(0),
      "rounds, or draws of hill-climb (0: by strategy)")(
      "budget-flips", po::value<std::size_t>()->default_value(0), "most flips (0: no limit)")(
      "budget-bytes", po::value<std::string>(),
      "most bytes of the binary patch, such as 512 or 1KiB")(
      "min-gain", po::value<double>()->default_value(0.0), "fitness that a round must add")(
      "flip-penalty", po::value<double>()->default_value(0.0),
      "fitness that every flip must pay for")("pareto", po::bool_switch(),
                                              "no target file may lose what it has gained")(
      "population", po::value<std::size_t>()->default_value(defaults.population),
      "patches in a generation of evolve")(
      "heldout-level", po::value<double>()->default_value(files.held_out_level, "0.05"),
      "how likely chance may be to fix as many held-out answers (1: any net gain counts)")(
      "min-effect", po::value<double>()->default_value(defaults.min_effect),
      "least mean gain of the targets in a round, in standard errors over them")(
      "probe-fraction", po::value<double>()->default_value(defaults.probe_fraction),
      "part of the targets, drawn anew each round, that proposals are made from")(
      "verify-fraction", po::value<double>()->default_value(defaults.verify_fraction),
      "part of targets and controls, drawn anew each round, that single flips are verified on")(
      "curvature", po::value<bool>()->default_value(defaults.curvature),
      "bend first-order predictions as log-probabilities bend")(
      "patience", po::value<std::size_t>()->default_value(0),
      "stop after so many rounds without a better held-out score")(
      "time-limit", po::value<std::string>(), "stop after 90s, 10m, 2h …")(
      "seed", po::value<std::uint64_t>()->default_value(defaults.seed), "of sampling");
  add_binary_options(line);
  line.group("Sensitivity atlas, instead of searching")(
      "atlas", po::value<Paths>(),
      "statistics of all candidates by layer, tensor and row: .json, or .svg for a picture; "
      "repeatable")("merge-atlas", po::value<Paths>(),
                    "an atlas (.json) to merge, repeatable: without model and data");
  line.group("Output")("output,o", po::value<std::string>(),
                       "the patch: .json (readable) or .bkp (binary)")(
      "name", po::value<std::string>(), "the patch's name (default: from the output file)")(
      "bare", po::bool_switch(),
      "leave out the base's hash (16 bytes), so that nobody can tell which model the patch is for")(
      "scores-out", po::value<std::string>(),
      "table of the first round's exact scores: .csv or .jsonl")(
      "explain", po::bool_switch(),
      "a table of what each flip of the patch does, and why it is there")(
      "check-ranking", po::value<std::uint64_t>()->implicit_value(1000),
      "instead of searching, hold first-order predictions against the exact change of so many "
      "candidates of each kind (0: only time the ranking)")("checkpoint", po::value<std::string>(),
                                                            "written each round and when stopped")(
      "resume", po::bool_switch(), "go on from the checkpoint")("log", po::value<std::string>(),
                                                                "events, as JSON lines");
  line.group("How the ranks share the work: never changes the result")(
      "activation-memory", po::value<std::string>()->default_value("4GiB"),
      "of each rank, for activations that are kept; if they need more, groups of ranks share the "
      "data (0: no limit)")("shards", po::value<std::size_t>()->default_value(defaults.shards),
                            "least number of ranks that share the data (0: as few as the memory "
                            "allows)");
}

Result<SearchFiles> read_search_files(const CommandLine& line) {
  SearchFiles files;
  const auto text = [&](const char* option) {
    return line.has(option) ? line.get<std::string>(option) : std::string();
  };
  files.output = text("output");
  files.scores = text("scores-out");
  files.checkpoint = text("checkpoint");
  files.log = text("log");
  files.resume = line.get<bool>("resume");
  files.held_out_level = line.get<double>("heldout-level");
  if (!(files.held_out_level > 0.0 && files.held_out_level <= 1.0))
    return Error{ErrorCode::kUsage, "--heldout-level must be above 0 and at most 1"};
  files.explain = line.get<bool>("explain");
  if (line.has("check-ranking")) files.check_ranking = line.get<std::uint64_t>("check-ranking");
  BANKAI_ASSIGN_OR_RETURN(files.atlas, read_atlas_paths(line));
  if (!files.atlas.empty() && (!files.output.empty() || files.check_ranking > 0))
    return Error{ErrorCode::kUsage,
                 "--atlas does not search: it goes neither with --output nor with --check-ranking"};
  if (!files.atlas.empty() && !(line.get<double>("control-penalty") <= bfs::kMostAtlasPenalty))
    return make_error(ErrorCode::kUsage, "--atlas takes a --control-penalty up to %g",
                      bfs::kMostAtlasPenalty);
  if (!line.has("model")) return Error{ErrorCode::kUsage, "--model is missing (see --help)"};
  if (!line.has("target")) return Error{ErrorCode::kUsage, "--target is missing (see --help)"};
  if (!files.output.empty() && !files.output.ends_with(".json") && !files.output.ends_with(".bkp"))
    return make_error(ErrorCode::kUsage, "--output '%s': expected a name ending in .json or .bkp",
                      files.output.c_str());
  if (!files.scores.empty() && !files.scores.ends_with(".csv") && !files.scores.ends_with(".jsonl"))
    return make_error(ErrorCode::kUsage,
                      "--scores-out '%s': expected a name ending in .csv or .jsonl",
                      files.scores.c_str());
  if (files.resume && files.checkpoint.empty())
    return Error{ErrorCode::kUsage, "--resume needs --checkpoint FILE"};
  std::vector<std::pair<std::string, std::string>> outputs = {{"--output", files.output},
                                                              {"--scores-out", files.scores},
                                                              {"--checkpoint", files.checkpoint},
                                                              {"--log", files.log}};
  for (const std::string& path : files.atlas) outputs.emplace_back("--atlas", path);
  BANKAI_RETURN_IF_ERROR(check_distinct(outputs));
  // The table may be there from before the stop: it was written after the first round.
  const bool goes_on = files.resume && std::filesystem::exists(files.checkpoint);
  for (const std::string& path : {files.output, goes_on ? std::string() : files.scores})
    if (!path.empty() && !line.force() && std::filesystem::exists(path))
      return make_error(ErrorCode::kUsage, "%s: exists already; --force replaces it", path.c_str());
  if (!line.has("time-limit")) return files;
  BANKAI_ASSIGN_OR_RETURN(files.time_limit_seconds,
                          parse_duration(line.get<std::string>("time-limit")));
  return files;
}

Result<bfs::SearchOptions> read_search_options(const CommandLine& line,
                                               const bfs::SearchModel& model) {
  bfs::SearchOptions options;
  BANKAI_RETURN_IF_ERROR(read_metrics(line, options));
  const auto strategy = bfs::find_strategy(line.get<std::string>("strategy"));
  if (!strategy)
    return make_error(ErrorCode::kUsage, "--strategy '%s': expected one of %s",
                      line.get<std::string>("strategy").c_str(),
                      names_of(bfs::all_strategies()).c_str());
  options.strategy = *strategy;
  const auto granularity = bfs::find_granularity(line.get<std::string>("granularity"));
  if (!granularity)
    return make_error(ErrorCode::kUsage, "--granularity '%s': expected row, group, bit or mixed",
                      line.get<std::string>("granularity").c_str());
  options.granularity = *granularity;
  if (options.strategy == bfs::StrategyKind::kHillClimb &&
      options.granularity == bfs::Granularity::kMixed)
    return Error{ErrorCode::kUsage,
                 "--strategy hill-climb draws flips of one size: --granularity row, group or bit"};
  BANKAI_ASSIGN_OR_RETURN(options.tensors, read_tensors(line, model));
  options.control_penalty = line.get<double>("control-penalty");
  if (!(options.control_penalty >= 0.0))
    return Error{ErrorCode::kUsage, "--control-penalty must not be negative"};
  options.iterations = line.get<std::uint64_t>("iterations");
  options.seed = line.get<std::uint64_t>("seed");
  options.candidates = line.get<std::uint64_t>("candidates");
  options.shortlist = line.get<std::uint64_t>("shortlist");
  options.budget_flips = line.get<std::size_t>("budget-flips");
  options.min_gain = line.get<double>("min-gain");
  if (!std::isfinite(options.min_gain))
    return Error{ErrorCode::kUsage, "--min-gain must be a number"};
  options.flip_penalty = line.get<double>("flip-penalty");
  if (!(options.flip_penalty >= 0.0))
    return Error{ErrorCode::kUsage, "--flip-penalty must not be negative"};
  options.pareto = line.get<bool>("pareto");
  options.population = line.get<std::size_t>("population");
  if (options.population < kLeastPopulation || options.population > kMostPopulation)
    return make_error(ErrorCode::kUsage, "--population must be %zu to %zu", kLeastPopulation,
                      kMostPopulation);
  options.min_effect = line.get<double>("min-effect");
  if (!(options.min_effect >= 0.0))
    return Error{ErrorCode::kUsage, "--min-effect must not be negative"};
  options.probe_fraction = line.get<double>("probe-fraction");
  if (!(options.probe_fraction > 0.0 && options.probe_fraction <= 1.0))
    return Error{ErrorCode::kUsage, "--probe-fraction must be above 0 and at most 1"};
  if (options.probe_fraction < 1.0 && options.strategy != bfs::StrategyKind::kGreedy &&
      options.strategy != bfs::StrategyKind::kEvolve)
    return Error{ErrorCode::kUsage,
                 "--probe-fraction is for strategies greedy and evolve, which make proposals"};
  options.verify_fraction = line.get<double>("verify-fraction");
  if (!(options.verify_fraction > 0.0 && options.verify_fraction <= 1.0))
    return Error{ErrorCode::kUsage, "--verify-fraction must be above 0 and at most 1"};
  if (options.verify_fraction < 1.0 && (options.strategy != bfs::StrategyKind::kGreedy ||
                                        line.has("check-ranking") || line.has("atlas")))
    return Error{ErrorCode::kUsage,
                 "--verify-fraction is for searches by strategy greedy, where flips are verified"};
  if (options.verify_fraction < 1.0 && line.has("scores-out"))
    return Error{ErrorCode::kUsage,
                 "--scores-out lists exact scores, which --verify-fraction does without"};
  options.curvature = line.get<bool>("curvature");
  options.patience = line.get<std::size_t>("patience");
  options.text_context = line.get<std::size_t>("ctx");
  if (options.text_context == 0 || options.shortlist == 0)
    return Error{ErrorCode::kUsage, "--ctx and --shortlist must be at least 1"};
  if (options.patience > 0 && !line.has("heldout"))
    return Error{ErrorCode::kUsage, "--patience needs --heldout FILE"};
  if (line.has("budget-bytes")) {
    BANKAI_ASSIGN_OR_RETURN(options.budget_bytes,
                            parse_size(line.get<std::string>("budget-bytes")));
  }
  BANKAI_ASSIGN_OR_RETURN(options.activation_bytes,
                          parse_size(line.get<std::string>("activation-memory")));
  options.shards = line.get<std::size_t>("shards");
  options.all_scores = line.has("scores-out");
  options.bare = line.get<bool>("bare");
  if (line.has("name")) {
    options.patch_name = line.get<std::string>("name");
  } else if (line.has("output")) {
    options.patch_name = std::filesystem::path(line.get<std::string>("output")).stem().string();
  }
  return options;
}

Result<bfs::SearchData> read_search_data(const CommandLine& line) {
  bfs::SearchData data;
  BANKAI_ASSIGN_OR_RETURN(data.targets, read_all(line, "target"));
  BANKAI_ASSIGN_OR_RETURN(data.controls, read_all(line, "control"));
  BANKAI_ASSIGN_OR_RETURN(data.held_out, read_all(line, "heldout"));
  return data;
}

}  // namespace bankai::cli
