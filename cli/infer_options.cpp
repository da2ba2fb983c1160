#include "cli/infer_options.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "cli/binary_options.h"
#include "cli/golf_opening.h"
#include "cli/infer_reference.h"
#include "cli/kv_options.h"
#include "cli/model_options.h"
#include "core/format.h"

namespace bankai::cli {

namespace po = boost::program_options;
using Paths = std::vector<std::string>;

namespace {

constexpr std::int64_t kDefaultPredict = 128;

std::string metric_names() {
  std::string names;
  for (const bfs::MetricName& entry : bfs::all_metrics())
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  return names;
}

// A number read as signed, because a minus sign is no error where an unsigned one is expected.
Result<std::size_t> read_count(const CommandLine& line, const char* option, std::int64_t least) {
  const auto value = line.get<std::int64_t>(option);
  if (value < least)
    return make_error(ErrorCode::kUsage, "--%s %lld: expected at least %lld", option,
                      static_cast<long long>(value), static_cast<long long>(least));
  return static_cast<std::size_t>(value);
}

Result<double> read_number(const CommandLine& line, const char* option, double least, double most) {
  const double value = line.get<double>(option);
  if (value >= least && value <= most) return value;
  return std::isinf(most)
             ? make_error(ErrorCode::kUsage, "--%s %g: expected at least %g", option, value, least)
             : make_error(ErrorCode::kUsage, "--%s %g: expected %g to %g", option, value, least,
                          most);
}

Status read_job(const CommandLine& line, InferOptions& options) {
  const bool perplexity = line.get<bool>("perplexity");
  const bool divergence = line.get<bool>("kl-divergence");
  const bool tokenize = line.get<bool>("tokenize");
  const bool probes = line.has("probes");
  const bool jobs[] = {perplexity, divergence, tokenize, probes};
  if (std::count(std::begin(jobs), std::end(jobs), true) > 1)
    return Error{ErrorCode::kUsage,
                 "only one of --perplexity, --kl-divergence, --probes and --tokenize at a time"};
  if (perplexity) options.job = InferJob::kPerplexity;
  if (divergence) options.job = InferJob::kDivergence;
  if (tokenize) options.job = InferJob::kTokenize;
  if (probes) options.job = InferJob::kProbes;
  const bool has_text = options.prompt || options.file;
  if (options.prompt && options.file)
    return Error{ErrorCode::kUsage, "only one of --prompt and --file at a time"};
  if (probes && has_text)
    return Error{ErrorCode::kUsage, "--probes takes its prompts from its files: no -p, no -f"};
  if (!probes && !has_text)
    return Error{ErrorCode::kUsage, "nothing to do: expected -p TEXT, -f FILE or --probes FILE"};
  if (options.compare && (!probes || options.patches.empty()))
    return Error{ErrorCode::kUsage, "--compare needs --probes and --patch"};
  if (options.job != InferJob::kGenerate && !options.logits_out.empty())
    return Error{ErrorCode::kUsage, "--logits-out goes with a prompt, not with another job"};
  if (options.logits_out == "-")
    return Error{ErrorCode::kUsage, "--logits-out: expected the name of a file"};
  return {};
}

Status read_sampling(const CommandLine& line, InferOptions& options) {
  constexpr double kAny = std::numeric_limits<double>::infinity();
  BANKAI_ASSIGN_OR_RETURN(options.sampling.temperature, read_number(line, "temp", 0.0, kAny));
  BANKAI_ASSIGN_OR_RETURN(options.sampling.top_k, read_count(line, "top-k", 0));
  BANKAI_ASSIGN_OR_RETURN(options.sampling.top_p, read_number(line, "top-p", 0.0, 1.0));
  BANKAI_ASSIGN_OR_RETURN(options.sampling.min_p, read_number(line, "min-p", 0.0, 1.0));
  options.sampling.seed = line.get<std::uint64_t>("seed");
  const auto most = line.get<std::int64_t>("n-predict");
  if (most < -1)
    return make_error(ErrorCode::kUsage,
                      "--n-predict %lld: expected at least 0, or -1 for no limit of its own",
                      static_cast<long long>(most));
  if (most >= 0) options.max_tokens = static_cast<std::size_t>(most);
  return {};
}

Status read_windows(const CommandLine& line, InferOptions& options) {
  if (line.has("ctx-size")) {
    BANKAI_ASSIGN_OR_RETURN(options.context, read_count(line, "ctx-size", 1));
  }
  if (line.has("stride")) {
    BANKAI_ASSIGN_OR_RETURN(options.stride, read_count(line, "stride", 1));
  }
  BANKAI_ASSIGN_OR_RETURN(options.chunks, read_count(line, "chunks", 0));
  return {};
}

// What all jobs on all models take. The options of sampling and --ctx-size are among them, since
// scripts often pass them always.
constexpr const char* kCommonOptions =
    "model prompt file verbose n-predict temp top-k top-p min-p seed ctx-size ";

// The names of a job or of a kind of model in messages, and the options that it adds.
struct OptionsOf {
  const char* name;
  std::string options;
};

OptionsOf options_of(InferJob job) {
  switch (job) {
    case InferJob::kPerplexity: return {"--perplexity", "perplexity stride"};
    case InferJob::kDivergence:
      return {"--kl-divergence", std::string("kl-divergence chunks ") + kReferenceOptions};
    case InferJob::kProbes: return {"--probes", "probes compare metric answer-tokens"};
    case InferJob::kTokenize: return {"--tokenize", "tokenize"};
    default: return {"a prompt", "logits-out"};
  }
}

// --tokenize runs no model, so of the options of a kind it takes those about text alone.
std::string text_options(ModelKind kind) {
  switch (kind) {
    case ModelKind::kGguf: return "parse-special";
    case ModelKind::kGolf: return "tokenizer";
    default: return "";
  }
}

OptionsOf options_of(ModelKind kind) {
  switch (kind) {
    case ModelKind::kBit1: return {"a BIT1 model", std::string("patch ") + kBinaryOptions};
    case ModelKind::kBinaryResidual: return {"a bankai-binary model", "patch"};
    case ModelKind::kGolf:
      return {"a parameter-golf model",
              std::string("tokenizer kv-bits kv-quant kv-type ") + kGolfRules};
    default:
      return {"a GGUF model",
              "patch i2s-layout parse-special activations kv-bits kv-quant kv-type"};
  }
}

}  // namespace

void add_infer_options(CommandLine& line) {
  const model::SamplingOptions sampling;
  add_model_options(line);
  line.group("Input")("model,m", po::value<std::string>(),
                      "model: GGUF, BIT1, a pack of one, or a parameter-golf checkpoint")(
      "patch", po::value<Paths>(),
      "patch to run the model with (.json, .bkp, or a name in the pack), repeatable; the file "
      "stays "
      "as it is")("prompt,p", po::value<std::string>(), "text to continue, measure or tokenize")(
      "file,f", po::value<std::string>(),
      "the same from a file, byte for byte (-: standard input)")(
      "parse-special", po::bool_switch(),
      "control tokens spelled out in the text, such as <|im_start|>, count as such");
  line.group("What to do, other than to continue a prompt")(
      "perplexity", po::bool_switch(), "perplexity and bits per byte of the text")(
      "kl-divergence", po::bool_switch(), "divergence from a reference on the text")(
      "probes", po::value<Paths>(), "score probes and their greedy answers, repeatable")(
      "tokenize", po::bool_switch(), "print the token ids of the text")(
      "logits-out", po::value<std::string>()->default_value("", ""),
      "write the prompt's logits to this .npy: float32, (positions, vocabulary)");
  line.group("Generation")("n-predict,predict,n",
                           po::value<std::int64_t>()->default_value(kDefaultPredict),
                           "most tokens to generate (-1: until the model ends, or its context)")(
      "temp", po::value<double>()->default_value(sampling.temperature, "0.8"),
      "temperature; 0 is greedy")(
      "top-k", po::value<std::int64_t>()->default_value(static_cast<std::int64_t>(sampling.top_k)),
      "keep the likeliest tokens (0: all)")(
      "top-p", po::value<double>()->default_value(sampling.top_p, "0.95"),
      "keep the likeliest tokens of this total probability (1: all)")(
      "min-p", po::value<double>()->default_value(sampling.min_p, "0.05"),
      "keep tokens at least this likely, relative to the likeliest (0: all)")(
      "seed,s", po::value<std::uint64_t>()->default_value(sampling.seed), "of the draws");
  line.group("Perplexity")("ctx-size,ctx,c", po::value<std::int64_t>(),
                           "tokens per window (default: 512, of divergences 1024, or the model's "
                           "context if smaller)")(
      "stride", po::value<std::int64_t>(), "tokens from window to window (default: a window)")(
      "chunks", po::value<std::int64_t>()->default_value(0),
      "most chunks of a divergence, or windows of a parameter-golf model's perplexity (0: all)");
  add_reference_options(line);
  line.group("Probes")("compare", po::bool_switch(),
                       "without and with the patches: what they fix and break")(
      "metric", po::value<std::string>()->default_value("nll"), metric_names().c_str())(
      "answer-tokens", po::value<std::int64_t>()->default_value(0),
      "tokens to generate per answer (0: the longest accepted answer + 4, at least 14)");
  line.group("Arithmetic")("activations", po::value<std::string>()->default_value("a8"),
                           "precision of activations: a8 or a16")(
      "verbose,v", po::bool_switch(), "times, speeds and sizes on standard error");
  add_kv_options(line);
}

Result<InferOptions> read_infer_options(const CommandLine& line) {
  InferOptions options;
  if (!line.has("model")) return Error{ErrorCode::kUsage, "--model is missing (see --help)"};
  options.model = line.get<std::string>("model");
  if (line.has("patch")) options.patches = line.get<Paths>("patch");
  if (line.has("prompt")) options.prompt = line.get<std::string>("prompt");
  if (line.has("file")) options.file = line.get<std::string>("file");
  if (line.has("probes")) options.probes = line.get<Paths>("probes");
  options.parse_special = line.get<bool>("parse-special");
  options.compare = line.get<bool>("compare");
  options.logits_out = line.get<std::string>("logits-out");
  options.verbose = line.get<bool>("verbose");
  BANKAI_RETURN_IF_ERROR(read_job(line, options));
  BANKAI_RETURN_IF_ERROR(read_sampling(line, options));
  BANKAI_RETURN_IF_ERROR(read_windows(line, options));
  const auto& metric_name = line.get<std::string>("metric");
  const std::optional<bfs::Metric> metric = bfs::find_metric(metric_name);
  if (!metric)
    return make_error(ErrorCode::kUsage, "--metric %s: expected one of %s",
                      quoted(metric_name).c_str(), metric_names().c_str());
  options.metric = *metric;
  BANKAI_ASSIGN_OR_RETURN(options.answer_tokens, read_count(line, "answer-tokens", 0));
  BANKAI_ASSIGN_OR_RETURN(options.activations, read_activation_mode(line));
  BANKAI_ASSIGN_OR_RETURN(options.kv, read_kv_format(line));
  return options;
}

Status check_infer_options(const CommandLine& line, InferJob job, ModelKind kind) {
  OptionsOf of_job = options_of(job);
  const OptionsOf of_kind = options_of(kind);
  // Their reference has no patches and no mode of activations.
  if (kind == ModelKind::kGolf && job == InferJob::kDivergence)
    of_job.options =
        "kl-divergence chunks reference reference-kv-bits reference-kv-quant reference-kernel";
  std::string taken = kCommonOptions + of_job.options + " " +
                      (job == InferJob::kTokenize ? text_options(kind) : of_kind.options);
  // Windows of these models are the chunks of a divergence.
  if (kind == ModelKind::kGolf && job == InferJob::kPerplexity) taken += " chunks";
  return line.accept_only(std::string(of_kind.name) + " and " + of_job.name, taken);
}

}  // namespace bankai::cli
