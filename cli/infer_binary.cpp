#include "cli/infer_binary.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/binary_options.h"
#include "cli/infer_npy.h"
#include "cli/infer_session.h"
#include "cli/infer_text.h"
#include "cli/interrupt.h"
#include "cli/json_output.h"
#include "cli/model_opening.h"
#include "cli/patch_loading.h"
#include "cli/progress.h"
#include "cli/report_text.h"
#include "core/clock.h"
#include "core/format.h"
#include "model/binary_matrices.h"
#include "model/binary_residual_model.h"
#include "model/binary_residual_transformer.h"
#include "model/binary_text.h"
#include "model/bit1_file.h"
#include "model/parallel.h"
#include "patch/apply.h"

namespace bankai::cli {

using model::TokenId;

namespace {

constexpr std::size_t kDefaultContext = 512;
constexpr std::size_t kLogitRows = 256;  // positions whose logits are held at a time

// What the jobs on a binary model share.
struct BinarySession {
  const CommandLine& line;
  const InferOptions& options;
  model::CharacterModel& model;
  model::CharacterModel& unshifted;  // the same, with logits as they are
  Progress progress;

  void remark(const std::string& text) { progress.remark(line.program() + ": " + text); }
  void note(const std::string& text) {
    if (options.verbose) remark(text);
  }
};

Result<std::vector<TokenId>> read_characters(const InferOptions& options,
                                             const model::BinaryShape& shape) {
  BANKAI_ASSIGN_OR_RETURN(const std::string text, read_text(options));
  Result<std::vector<TokenId>> tokens = model::encode_characters(text, shape.vocabulary);
  if (!tokens.ok())
    return with_context(std::move(tokens).error(), options.file.value_or("--prompt"));
  if (tokens->empty())
    return Error{ErrorCode::kUsage, "the text is empty, and these models cannot begin without one"};
  return tokens;
}

Status write_logits(BinarySession& session, std::span<const TokenId> prompt) {
  const std::size_t vocabulary = session.model.shape().vocabulary;
  const Overwrite overwrite = session.line.force() ? Overwrite::kReplace : Overwrite::kRefuse;
  BANKAI_ASSIGN_OR_RETURN(NpyWriter file, NpyWriter::create(session.options.logits_out, overwrite,
                                                            prompt.size(), vocabulary));
  std::vector<float> logits;
  session.unshifted.clear();
  for (std::size_t first = 0; first < prompt.size(); first += kLogitRows) {
    const auto some = prompt.subspan(first, std::min(kLogitRows, prompt.size() - first));
    session.unshifted.feed(some, false, logits);
    BANKAI_RETURN_IF_ERROR(file.write(logits));
  }
  return file.commit();
}

std::string speed_text(const char* what, std::size_t tokens, double seconds) {
  return format("%s: %s in %.3f s, %.1f tokens/s", what, counted(tokens, "token").c_str(), seconds,
                seconds > 0.0 ? static_cast<double>(tokens) / seconds : 0.0);
}

Status generate(BinarySession& session, const std::vector<TokenId>& prompt, std::size_t limit) {
  const bool is_shown = limit > 0 && !session.line.json();
  Utf8Stream stream;
  std::string text;
  bool is_written = true;
  const auto show = [&](const std::string& part) {
    text += part;
    if (is_shown)
      is_written = is_written && std::fwrite(part.data(), 1, part.size(), stdout) == part.size() &&
                   std::fflush(stdout) == 0;
  };
  double first_seconds = 0.0;
  const Stopwatch clock;
  std::size_t count = 0;
  const std::vector<TokenId> tokens = model::generate_characters(
      session.model, prompt, limit, session.options.sampling, [&](TokenId token) {
        if (++count == 1) first_seconds = clock.seconds();
        show(stream.push(std::string(1, static_cast<char>(token))));
        return is_written && !interrupt_requested();
      });
  const double seconds = clock.seconds();
  show(stream.finish() + (is_shown ? "\n" : ""));
  if (!is_written) return Error{ErrorCode::kIo, "cannot write to standard output"};
  if (interrupt_requested()) return Error{ErrorCode::kInterrupted, "interrupted"};
  if (count > 0) session.note(speed_text("prompt", prompt.size(), first_seconds));
  if (count > 1) session.note(speed_text("generation", count - 1, seconds - first_seconds));
  if (session.line.json())
    print_json_line(
        nlohmann::ordered_json{{"prompt_tokens", prompt}, {"tokens", tokens}, {"text", text}});
  return {};
}

Status continue_prompt(BinarySession& session, const std::vector<TokenId>& prompt) {
  const std::size_t context = session.model.shape().context;
  const std::size_t room = context > prompt.size() ? context - prompt.size() : 0;
  const std::size_t limit = session.options.max_tokens.value_or(room);
  if (prompt.size() > context || limit > room)
    session.remark(
        format("warning: %s of prompt and up to %zu more go beyond the context of %zu that the "
               "model declares",
               counted(prompt.size(), "character").c_str(), limit, context));
  if (!session.options.logits_out.empty()) BANKAI_RETURN_IF_ERROR(write_logits(session, prompt));
  watch_for_interrupts();
  return generate(session, prompt, limit);
}

Status measure(BinarySession& session, const std::vector<TokenId>& tokens) {
  const InferOptions& options = session.options;
  const std::size_t context =
      options.context.value_or(std::min(kDefaultContext, session.model.shape().context));
  const std::size_t stride = options.stride.value_or(context);
  if (stride > context)
    return make_error(ErrorCode::kUsage,
                      "--stride %zu: expected at most the window's %s (--ctx-size)", stride,
                      counted(context, "token").c_str());
  const std::size_t declared = session.model.shape().context;
  if (context > declared)
    session.remark(
        format("warning: windows of %s go beyond the context of %zu that the model declares",
               counted(context, "character").c_str(), declared));
  const Stopwatch clock;
  Result<model::PerplexityResult> measured = model::measure_character_perplexity(
      session.model, tokens, context, stride, [&](std::size_t done, std::size_t all) {
        session.progress.update("perplexity", static_cast<double>(done) / static_cast<double>(all));
      });
  session.progress.finish();
  if (!measured.ok())
    return with_context(std::move(measured).error(), options.file.value_or("--prompt"));
  const model::PerplexityResult& result = *measured;
  session.note(speed_text("scored", result.tokens_scored, clock.seconds()));
  if (session.line.json()) {
    print_json_line(nlohmann::ordered_json{{"tokens_scored", result.tokens_scored},
                                           {"nll", result.nll},
                                           {"perplexity", result.perplexity},
                                           {"bits_per_byte", result.bits_per_byte},
                                           {"bits_per_character", result.bits_per_byte},
                                           {"bytes_scored", result.bytes_scored},
                                           {"context", context},
                                           {"stride", stride}});
    return {};
  }
  std::cout << format("characters scored   %zu (windows of %zu, stride %zu)\n",
                      result.tokens_scored, context, stride)
            << format("nll                 %.6f nats per character\n", result.nll)
            << format("perplexity          %.6f\n", result.perplexity)
            << format("bits per character  %.6f\n", result.bits_per_byte);
  return {};
}

Status run_job(const CommandLine& line, const InferOptions& options, model::CharacterModel& model,
               model::CharacterModel& unshifted, double load_seconds) {
  BANKAI_ASSIGN_OR_RETURN(const std::vector<TokenId> tokens,
                          read_characters(options, model.shape()));
  if (options.job == InferJob::kTokenize) return print_tokens(line, tokens);
  BinarySession session{line, options, model, unshifted, Progress(!line.quiet())};
  session.note(format("loaded in %.3f s; %s, %s kernels", load_seconds,
                      counted(static_cast<std::uint64_t>(model.threads()), "thread").c_str(),
                      model.table().name));
  session.note(format("keys and values: 1 bit, %zu bytes per token",
                      model::BinaryCache(model.shape()).bytes_per_position()));
  return options.job == InferJob::kPerplexity ? measure(session, tokens)
                                              : continue_prompt(session, tokens);
}

// Flips the bits of the loaded model; its file stays as it is.
template <typename Model>
Status put_on_patches(const CommandLine& line, const InferOptions& options, Model& model) {
  if (options.patches.empty()) return {};
  BANKAI_ASSIGN_OR_RETURN(const patch::FlipSet flips,
                          stack_patches(
                              options.patches, options.model,
                              [&](TensorAddress address) -> std::optional<patch::WeightView> {
                                return model::bit_view(model::find_binary_matrix(model, address));
                              },
                              line.force(),
                              [&](const std::string& text) {
                                Progress(!line.quiet()).remark(line.program() + ": " + text);
                              }));
  return patch::toggle_flips(flips,
                             [&](TensorAddress address) -> std::optional<patch::MutableWeightView> {
                               return model::mutable_bit_view(model, address);
                             });
}

Status infer_strict(const CommandLine& line, const InferOptions& options,
                    const kernels::KernelTable& table, int threads) {
  BANKAI_ASSIGN_OR_RETURN(const model::BinaryOptions binary, read_binary_options(line, threads));
  const Stopwatch clock;
  BANKAI_ASSIGN_OR_RETURN(model::BinaryModel model,
                          load_binary_model(line, options.model, threads));
  BANKAI_RETURN_IF_ERROR(put_on_patches(line, options, model));
  BANKAI_ASSIGN_OR_RETURN(const double scale, read_logit_scale(line, model.shape));
  model::BinaryTransformer transformer(model, table, binary);
  model::StrictCharacterModel characters(transformer, scale, true);
  model::StrictCharacterModel unshifted(transformer, scale, false);
  return run_job(line, options, characters, unshifted, clock.seconds());
}

Status infer_residual(const CommandLine& line, const InferOptions& options,
                      const kernels::KernelTable& table, int threads) {
  const Stopwatch clock;
  BANKAI_ASSIGN_OR_RETURN(const model::GgufFile file, open_model_file(options.model, threads));
  BANKAI_ASSIGN_OR_RETURN(model::BinaryResidualModel model, model::read_binary_residual(file));
  BANKAI_RETURN_IF_ERROR(put_on_patches(line, options, model));
  const model::BinaryResidualTransformer transformer(model, table, threads);
  model::ResidualCharacterModel characters(transformer);
  return run_job(line, options, characters, characters, clock.seconds());
}

}  // namespace

Status infer_binary(const CommandLine& line, const InferOptions& options, ModelKind kind) {
  const bool has_job = options.job == InferJob::kGenerate || options.job == InferJob::kPerplexity ||
                       options.job == InferJob::kTokenize;
  if (!has_job)
    return Error{
        ErrorCode::kUsage,
        "binary models take a prompt, --perplexity, --logits-out or --tokenize, and no --probes"};
  BANKAI_RETURN_IF_ERROR(check_infer_options(line, options.job, kind));
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(model::available_threads()));
  BANKAI_ASSIGN_OR_RETURN(const kernels::KernelTable* table, line.kernel());
  return kind == ModelKind::kBit1 ? infer_strict(line, options, *table, threads)
                                  : infer_residual(line, options, *table, threads);
}

}  // namespace bankai::cli
