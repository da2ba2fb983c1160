#include "cli/infer_golf.h"

#include <iostream>
#include <optional>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/golf_opening.h"
#include "cli/infer_golf_divergence.h"
#include "cli/infer_npy.h"
#include "cli/infer_session.h"
#include "cli/infer_text.h"
#include "cli/interrupt.h"
#include "cli/json_output.h"
#include "cli/progress.h"
#include "cli/report_text.h"
#include "core/clock.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "model/golf_score.h"
#include "model/parallel.h"
#include "model/sampler.h"

namespace bankai::cli {

namespace po = boost::program_options;

namespace {

Result<std::optional<model::SentencePieces>> load_pieces(const CommandLine& line) {
  std::optional<model::SentencePieces> pieces;
  if (line.has("tokenizer")) {
    const auto& path = line.get<std::string>("tokenizer");
    BANKAI_ASSIGN_OR_RETURN(const std::string bytes, read_file(path));
    Result<model::SentencePieces> read = model::SentencePieces::read(bytes);
    if (!read.ok()) return with_context(std::move(read).error(), path);
    pieces = std::move(read).value();
  }
  return pieces;
}

// The tokens of a token file, or those of a text behind the vocabulary's BOS.
Result<std::vector<model::TokenId>> read_tokens(const InferOptions& options,
                                                const model::SentencePieces* pieces, bool add_bos) {
  BANKAI_ASSIGN_OR_RETURN(const std::string text, read_text(options));
  const std::string name = options.file.value_or("--prompt");
  Result<std::vector<model::TokenId>> tokens = std::vector<model::TokenId>();
  if (options.file && model::is_token_shard(text)) {
    tokens = model::read_token_shard(text);
  } else if (pieces == nullptr) {
    return Error{ErrorCode::kUsage,
                 "a text needs the vocabulary of the model: --tokenizer FILE.model"};
  } else {
    tokens = pieces->encode(text);
    if (tokens.ok() && add_bos && pieces->bos() >= 0)
      tokens->insert(tokens->begin(), pieces->bos());
  }
  if (!tokens.ok()) return with_context(std::move(tokens).error(), name);
  return tokens;
}

// What --verbose says of the cache.
std::string cache_text(const model::GolfTransformer& transformer) {
  return format("keys and values: %s, %zu bytes per token",
                model::golf_kv_text(transformer.kv_format()).c_str(),
                model::golf_cache_bytes(transformer.parameters(), transformer.kv_format()));
}

Status write_logits(const CommandLine& line, const InferOptions& options,
                    const std::vector<model::TokenId>& tokens,
                    const model::GolfTransformer& transformer) {
  const std::size_t vocabulary = transformer.parameters().vocabulary;
  BANKAI_ASSIGN_OR_RETURN(
      NpyWriter file,
      NpyWriter::create(options.logits_out, line.force() ? Overwrite::kReplace : Overwrite::kRefuse,
                        tokens.size(), vocabulary));
  BANKAI_RETURN_IF_ERROR(transformer.stream_logits(
      tokens, [&](std::span<const float> rows) { return file.write(rows); }));
  return file.commit();
}

// Continues the prompt, token by token; text is shown as it comes.
Status generate(const CommandLine& line, const InferOptions& options,
                const std::vector<model::TokenId>& prompt, const model::SentencePieces* pieces,
                const kernels::KernelTable& table, const model::GolfTransformer& transformer) {
  const std::size_t context = transformer.parameters().context;
  const std::size_t room = context > prompt.size() ? context - prompt.size() : 0;
  const std::size_t limit = options.max_tokens.value_or(room);
  if (pieces == nullptr && !line.json())
    return Error{ErrorCode::kUsage,
                 "text needs the vocabulary of the model: --tokenizer FILE.model"};
  Progress progress(!line.quiet());
  if (prompt.size() > context || limit > room)
    progress.remark(
        format("%s: warning: %s of prompt and up to %zu more go beyond the context of %zu",
               line.program().c_str(), counted(prompt.size(), "token").c_str(), limit, context));
  model::Sampler sampler(table, options.sampling);
  model::GolfCache cache;
  Utf8Stream stream;
  std::vector<model::TokenId> tokens;
  std::string text;
  const auto show = [&](const std::string& part) {
    text += part;
    if (!line.json()) std::cout << part << std::flush;
  };
  const Stopwatch clock;
  std::span<const model::TokenId> next = prompt;
  while (tokens.size() < limit) {
    const model::TokenId token = sampler.sample(transformer.advance(next, cache), tokens.size());
    if (interrupt_requested()) return Error{ErrorCode::kInterrupted, "interrupted"};
    if (pieces != nullptr && pieces->is_control(token)) break;
    tokens.push_back(token);
    next = std::span<const model::TokenId>(tokens).last(1);
    if (pieces != nullptr) show(stream.push(pieces->decode(token)));
  }
  show(stream.finish() + (line.json() || limit == 0 ? "" : "\n"));
  if (!std::cout) return Error{ErrorCode::kIo, "cannot write to standard output"};
  if (options.verbose)
    progress.remark(format("%s: %s of prompt and %zu more in %.3f s; %s", line.program().c_str(),
                           counted(prompt.size(), "token").c_str(), tokens.size(), clock.seconds(),
                           cache_text(transformer).c_str()));
  if (line.json())
    print_json_line(
        nlohmann::ordered_json{{"prompt_tokens", prompt}, {"tokens", tokens}, {"text", text}});
  return {};
}

Result<model::GolfWindows> choose_windows(const InferOptions& options,
                                          const model::GolfParameters& parameters) {
  model::GolfWindows windows;
  windows.context = options.context.value_or(parameters.context);
  windows.stride = options.stride.value_or(windows.context);
  if (windows.stride > windows.context)
    return make_error(ErrorCode::kUsage, "--stride %zu: expected at most the window's %s",
                      windows.stride, counted(windows.context, "token").c_str());
  windows.limit = options.chunks;
  return windows;
}

Status measure(const CommandLine& line, const InferOptions& options,
               const std::vector<model::TokenId>& tokens, const model::SentencePieces* pieces,
               const model::GolfTransformer& transformer) {
  BANKAI_ASSIGN_OR_RETURN(const model::GolfWindows windows,
                          choose_windows(options, transformer.parameters()));
  Progress progress(!line.quiet());
  const Stopwatch clock;
  Result<model::PerplexityResult> measured = model::measure_golf_score(
      transformer, tokens, pieces, windows, [&](std::size_t done, std::size_t all) {
        progress.update("perplexity", static_cast<double>(done) / static_cast<double>(all));
      });
  progress.finish();
  if (!measured.ok())
    return with_context(std::move(measured).error(), options.file.value_or("--prompt"));
  const model::PerplexityResult& result = *measured;
  if (options.verbose)
    progress.remark(format("%s: %.3f s, %.1f tokens scored per second; %s", line.program().c_str(),
                           clock.seconds(),
                           static_cast<double>(result.tokens_scored) / clock.seconds(),
                           cache_text(transformer).c_str()));
  const bool has_bytes = result.bytes_scored > 0;
  if (line.json()) {
    nlohmann::ordered_json object{{"tokens_scored", result.tokens_scored},
                                  {"nll", result.nll},
                                  {"perplexity", result.perplexity}};
    if (has_bytes) object["bits_per_byte"] = result.bits_per_byte;
    object["bytes_scored"] = result.bytes_scored;
    object["context"] = windows.context;
    object["stride"] = windows.stride;
    print_json_line(object);
    return {};
  }
  std::cout << format("tokens scored  %zu of %zu (windows of %zu, stride %zu)\n",
                      result.tokens_scored, tokens.size() - 1, windows.context, windows.stride)
            << format("nll            %.6f nats per token\n", result.nll)
            << format("perplexity     %.6f\n", result.perplexity);
  if (has_bytes)
    std::cout << format("bits per byte  %.6f (%s)\n", result.bits_per_byte,
                        counted(result.bytes_scored, "byte").c_str());
  return {};
}

}  // namespace

void add_golf_options(CommandLine& line) {
  add_golf_rules(line)("tokenizer", po::value<std::string>(), "SentencePiece vocabulary (.model)");
}

Status infer_golf(const CommandLine& line, const InferOptions& options) {
  if (!options.patches.empty() || options.job == InferJob::kProbes)
    return Error{
        ErrorCode::kUsage,
        "parameter-golf models take a prompt, --perplexity, --kl-divergence or --tokenize, "
        "and no patches"};
  BANKAI_RETURN_IF_ERROR(check_infer_options(line, options.job, ModelKind::kGolf));
  BANKAI_ASSIGN_OR_RETURN(const model::GolfModel golf, open_golf_model(line, options.model));
  BANKAI_ASSIGN_OR_RETURN(const auto pieces, load_pieces(line));
  const model::SentencePieces* vocabulary = pieces ? &*pieces : nullptr;
  const bool tokenizes = options.job == InferJob::kTokenize;
  const bool diverges = options.job == InferJob::kDivergence;
  BANKAI_ASSIGN_OR_RETURN(const std::vector<model::TokenId> tokens,
                          read_tokens(options, vocabulary, !tokenizes && !diverges));
  if (tokenizes) return print_tokens(line, tokens);
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(model::available_threads()));
  BANKAI_ASSIGN_OR_RETURN(const kernels::KernelTable* table, line.kernel());
  const model::GolfTransformer transformer(golf, *table, threads, options.kv);
  if (diverges) return infer_golf_divergence(line, options, tokens, *table, transformer);
  if (options.job == InferJob::kPerplexity)
    return measure(line, options, tokens, vocabulary, transformer);
  if (tokens.empty()) return Error{ErrorCode::kUsage, "the prompt is empty"};
  BANKAI_RETURN_IF_ERROR(model::check_golf_tokens(tokens, transformer.parameters().vocabulary));
  if (!options.logits_out.empty())
    BANKAI_RETURN_IF_ERROR(write_logits(line, options, tokens, transformer));
  if (options.max_tokens == std::size_t{0}) return {};
  watch_for_interrupts();
  Status generated;
  model::with_threads_at_hand(threads, [&] {
    generated = generate(line, options, tokens, vocabulary, *table, transformer);
  });
  return generated;
}

}  // namespace bankai::cli
