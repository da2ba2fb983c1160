// bankai-pack plan, and pack --budget-bytes.
#include "cli/pack_plan.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include <nlohmann/json.hpp>

#include "cli/json_output.h"
#include "cli/model_options.h"
#include "cli/pack_input.h"
#include "cli/parse.h"
#include "core/format.h"
#include "core/mapped_file.h"
#include "packer/tensor_coding.h"

namespace bankai::cli {
namespace {

Result<std::string> read_file(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Result<std::size_t> read_count(const CommandLine& line, const char* option, std::size_t least) {
  const auto value = line.get<std::size_t>(option);
  if (value < least)
    return make_error(ErrorCode::kUsage, "--%s %zu: expected at least %zu", option, value, least);
  return value;
}

// All but the texts' tokens, for which a model is needed: what is wrong with an option is said
// before any work.
Result<packer::PlanSettings> read_settings(const CommandLine& line, int threads) {
  packer::PlanSettings settings;
  BANKAI_ASSIGN_OR_RETURN(settings.calibration_tokens, read_count(line, "calibration-tokens", 1));
  BANKAI_ASSIGN_OR_RETURN(settings.max_measurements, read_count(line, "max-measurements", 1));
  BANKAI_ASSIGN_OR_RETURN(settings.context, read_count(line, "ctx", 1));
  settings.drop_unused_rows = line.get<bool>("drop-unused-rows");
  BANKAI_ASSIGN_OR_RETURN(const kernels::ActivationMode mode,
                          read_activation_mode(line, "activations"));
  settings.forward = model::forward_options(mode, threads);
  if (!line.has("calibration") && settings.drop_unused_rows)
    return make_error(ErrorCode::kUsage,
                      "--drop-unused-rows needs --calibration: the text says which rows are used");
  BANKAI_RETURN_IF_ERROR(line.kernel());
  for (const char* option : {"calibration", "heldout"})
    if (line.has(option)) BANKAI_RETURN_IF_ERROR(MappedFile::open(line.get<std::string>(option)));
  return settings;
}

// The tokens of an option's text; none without it.
Result<std::vector<model::TokenId>> read_tokens(const CommandLine& line, const char* option,
                                                const model::Tokenizer& tokenizer) {
  std::vector<model::TokenId> tokens;
  if (!line.has(option)) return tokens;
  const auto& path = line.get<std::string>(option);
  BANKAI_ASSIGN_OR_RETURN(const std::string text, read_file(path));
  if (tokenizer.adds_bos() && tokenizer.bos() >= 0) tokens.push_back(tokenizer.bos());
  for (const model::TokenId token : tokenizer.encode(text)) tokens.push_back(token);
  if (tokens.size() < 2)
    return make_error(ErrorCode::kBadInput, "%s: the text has fewer than two tokens", path.c_str());
  return tokens;
}

// The text of --calibration as a whole says which rows are used; of that of --heldout as many
// tokens are measured.
Status read_texts(const CommandLine& line, const model::Model& model,
                  packer::PlanSettings& settings) {
  BANKAI_ASSIGN_OR_RETURN(settings.calibration,
                          read_tokens(line, "calibration", model.tokenizer()));
  BANKAI_ASSIGN_OR_RETURN(settings.held_out, read_tokens(line, "heldout", model.tokenizer()));
  settings.held_out.resize(std::min(settings.held_out.size(), settings.calibration_tokens + 1));
  return {};
}

// The model to plan for: a folder's is converted in memory, since it has to run.
Result<model::GgufFile> take_gguf(PackInput& input, const std::string& path) {
  if (input.gguf) return *std::move(input.gguf);
  if (!input.import)
    return make_error(
        ErrorCode::kUnsupported,
        "%s: a strictly binary model has nothing that a plan could take away; pack it "
        "without --budget-bytes",
        path.c_str());
  BANKAI_ASSIGN_OR_RETURN(PageMemory image, packer::source_image(input.source));
  const auto bytes = static_cast<std::size_t>(input.source.file_bytes);
  input.import.reset();
  return model::GgufFile::adopt(std::move(image), bytes, path);
}

// A line per budget, from the smallest size to the exact one.
Status plan_curve(const CommandLine& line, PlanSession& session, std::size_t count,
                  Progress& progress) {
  BANKAI_RETURN_IF_ERROR(prepare_planner(line, session, progress));
  const std::uint64_t least = session.budgets->smallest_bytes();
  const std::uint64_t most = session.exact.total_bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t budget = least + (most - std::min(least, most)) * i / (count - 1);
    BANKAI_ASSIGN_OR_RETURN(const packer::BudgetPlan plan,
                            plan_for(line, session, budget, progress));
    progress.finish();
    if (line.json()) {
      nlohmann::ordered_json object = {{"budget_bytes", budget},
                                       {"total_bytes", plan.ledger.total_bytes},
                                       {"predicted_change", plan.plan.predicted}};
      if (plan.plan.measured) {
        object["measured_change"] = *plan.plan.measured;
        object["standard_error"] = plan.plan.standard_error;
      }
      print_json_line(object);
    } else {
      const bool has_text = line.has("calibration");  // else in weights removed
      if (i == 0)
        std::cout << "   budget     bytes  predicted"
                  << (has_text ? "   measured      +-\n" : "\n");
      std::cout << format("%9llu %9llu %10.*f", static_cast<unsigned long long>(budget),
                          static_cast<unsigned long long>(plan.ledger.total_bytes),
                          has_text ? 5 : 0, plan.plan.predicted);
      if (plan.plan.measured)
        std::cout << format(" %10.5f %7.5f", *plan.plan.measured, plan.plan.standard_error);
      std::cout << std::endl;
    }
  }
  return {};
}

}  // namespace

void add_plan_options(CommandLine& line) {
  namespace po = boost::program_options;
  line.group("Byte budgets (plan, pack --budget-bytes)")(
      "budget-bytes", po::value<std::string>(), "largest pack: 16000000, 16MB (decimal), 15MiB")(
      "calibration", po::value<std::string>(),
      "text on which losses are measured; without it they are estimated from the weights alone")(
      "heldout", po::value<std::string>(),
      "text on which the plan is measured beside it, and which the choice never sees")(
      "calibration-tokens", po::value<std::size_t>()->default_value(4096),
      "measure on so many tokens of either")("ctx", po::value<std::size_t>()->default_value(512),
                                             "in windows of so many tokens")(
      "activations", po::value<std::string>()->default_value("a8"),
      "a8 or a16: precision of activations in measurements")(
      "max-measurements", po::value<std::size_t>()->default_value(200),
      "forward passes for single steps, about")(
      "drop-unused-rows", po::bool_switch(),
      "embedding and head may lose the rows of tokens that the calibration text lacks")(
      "curve", po::value<std::size_t>(),
      "plan: so many budgets from the smallest size to the exact one, a line each")(
      "verbose", po::bool_switch(), "every tensor and every part, in place of sums by kind");
  add_model_options(line);
}

Result<std::uint64_t> read_budget(const CommandLine& line) {
  if (!line.has("budget-bytes"))
    return make_error(ErrorCode::kUsage, "--budget-bytes N is missing (see --help)");
  return parse_size(line.get<std::string>("budget-bytes"));
}

Result<PlanSession> open_plan_session(const CommandLine& line, const std::string& path,
                                      Progress& progress) {
  PlanSession session;
  BANKAI_ASSIGN_OR_RETURN(session.options, read_pack_options(line, progress));
  BANKAI_ASSIGN_OR_RETURN(session.settings, read_settings(line, session.options.threads));
  BANKAI_ASSIGN_OR_RETURN(const model::LoadOptions load,
                          read_load_options(line, session.options.threads));
  BANKAI_ASSIGN_OR_RETURN(const std::unique_ptr<PackInput> input, open_pack_input(line, path));
  BANKAI_RETURN_IF_ERROR(add_patches(line, *input, progress, session.options));
  BANKAI_ASSIGN_OR_RETURN(model::GgufFile file, take_gguf(*input, path));
  BANKAI_ASSIGN_OR_RETURN(session.model, model::Model::from_file(std::move(file), load));
  BANKAI_RETURN_IF_ERROR(read_texts(line, *session.model, session.settings));
  BANKAI_ASSIGN_OR_RETURN(packer::PackSource source, packer::pack_source(session.model->file()));
  BANKAI_ASSIGN_OR_RETURN(session.exact_tensors, packer::measure_tensors(source, session.options));
  source.measured = [&session](std::size_t tensor) { return &session.exact_tensors[tensor]; };
  BANKAI_ASSIGN_OR_RETURN(session.exact, packer::measure_pack(source, session.options));
  return session;
}

Status prepare_planner(const CommandLine& line, PlanSession& session, Progress& progress) {
  if (session.planner != nullptr) return {};
  if (!line.has("calibration") && !line.quiet())
    progress.remark(line.program() +
                    ": no --calibration: losses are estimated from the weights alone, in weights "
                    "removed, not in nats");
  packer::PlanSettings settings = session.settings;
  for (const packer::PackedTensor& tensor : session.exact_tensors)
    settings.exact_bytes.push_back(tensor.bytes());
  BANKAI_ASSIGN_OR_RETURN(const kernels::KernelTable* table, line.kernel());
  const auto size_of = [rate = session.options.min_decode_rate](
                           const model::GgufTensor& tensor,
                           const packer::LossyTensor& changed) -> Result<std::uint64_t> {
    BANKAI_ASSIGN_OR_RETURN(const packer::TensorShape shape,
                            packer::tensor_shape(changed.type, tensor.dims));
    BANKAI_ASSIGN_OR_RETURN(
        const packer::CodedTensor coded,
        packer::code_tensor(shape, changed.bytes, {.min_decode_rate = rate, .threads = 1}));
    return coded.bytes();
  };
  BANKAI_ASSIGN_OR_RETURN(
      session.planner, packer::Planner::make(*session.model, *table, std::move(settings), size_of,
                                             [&](const std::string& stage, double fraction) {
                                               progress.update("planning: " + stage, fraction);
                                             }));
  session.options.progress = pack_progress(progress, "sizing");
  BANKAI_ASSIGN_OR_RETURN(packer::BudgetPlanner budgets,
                          packer::BudgetPlanner::make(session.model->file(), *session.planner,
                                                      session.options, session.exact_tensors));
  session.options.progress = pack_progress(progress, "packing");
  session.budgets = std::make_unique<packer::BudgetPlanner>(std::move(budgets));
  return {};
}

Result<packer::BudgetPlan> plan_for(const CommandLine& line, PlanSession& session,
                                    std::uint64_t budget, Progress& progress) {
  if (session.exact.total_bytes <= budget) {
    packer::BudgetPlan exact{{}, session.exact};
    exact.plan.steps.resize(session.model->file().tensors().size());
    if (line.has("calibration")) exact.plan.measured = 0.0;
    if (line.has("heldout")) exact.plan.held_out = packer::NllChange();
    return exact;
  }
  BANKAI_RETURN_IF_ERROR(prepare_planner(line, session, progress));
  return session.budgets->plan(budget);
}

Status pack_plan(const CommandLine& line, Files files) {
  std::uint64_t budget = 0;
  std::size_t curve = 0;
  if (line.has("curve") && line.has("budget-bytes"))
    return Error{ErrorCode::kUsage, "only one of --budget-bytes and --curve at a time"};
  if (line.has("curve")) {
    BANKAI_ASSIGN_OR_RETURN(curve, read_count(line, "curve", 2));
  } else {
    BANKAI_ASSIGN_OR_RETURN(budget, read_budget(line));
  }
  Progress progress(!line.quiet());
  BANKAI_ASSIGN_OR_RETURN(PlanSession session, open_plan_session(line, files[0], progress));
  if (curve > 0) return plan_curve(line, session, curve, progress);
  BANKAI_ASSIGN_OR_RETURN(const packer::BudgetPlan plan, plan_for(line, session, budget, progress));
  progress.finish();
  print_plan(line, session, plan, budget, "");
  return {};
}

Status pack_within_budget(const CommandLine& line, Files files) {
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t budget, read_budget(line));
  BANKAI_ASSIGN_OR_RETURN(const std::string output, pack_output(line, files[0]));
  BANKAI_RETURN_IF_ERROR(check_can_write(line, output));
  Progress progress(!line.quiet());
  BANKAI_ASSIGN_OR_RETURN(PlanSession session, open_plan_session(line, files[0], progress));
  BANKAI_ASSIGN_OR_RETURN(const packer::BudgetPlan plan, plan_for(line, session, budget, progress));
  if (!session.options.patches.empty() && !plan.plan.is_exact() && !line.quiet())
    progress.remark(line.program() +
                    ": warning: the plan changes weights; a patch that touches a changed matrix "
                    "no longer belongs to it, and bankai-infer takes it only with --force");
  const auto exact_source = [&] { return packer::pack_source(session.model->file()); };
  BANKAI_ASSIGN_OR_RETURN(
      const packer::PackSource source,
      plan.plan.is_exact() ? exact_source() : session.budgets->source(plan.plan));
  BANKAI_ASSIGN_OR_RETURN(
      const packer::PackLedger written,
      packer::write_pack(source, session.options, output, pack_overwrite(line)));
  BANKAI_ASSIGN_OR_RETURN(const packer::PackFile pack, packer::PackFile::open(output));
  BANKAI_ASSIGN_OR_RETURN(
      const packer::PackLedger audited,
      packer::audit_pack(pack, session.options.threads, pack_progress(progress, "verifying")));
  if (audited.total_bytes != plan.ledger.total_bytes || written.total_bytes > budget)
    return make_error(ErrorCode::kInternal, "%s: %llu bytes were planned, %llu written",
                      output.c_str(), static_cast<unsigned long long>(plan.ledger.total_bytes),
                      static_cast<unsigned long long>(written.total_bytes));
  progress.finish();
  print_plan(line, session, plan, budget, output);
  return {};
}

}  // namespace bankai::cli
