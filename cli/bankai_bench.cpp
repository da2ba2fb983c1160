// bankai-bench: how fast this machine runs a model, beside what it could do at most.
#include <functional>

#include "cli/bench_binary.h"
#include "cli/bench_candidates.h"
#include "cli/bench_golf.h"
#include "cli/bench_machine.h"
#include "cli/bench_model.h"
#include "cli/bench_options.h"
#include "cli/bench_report.h"
#include "cli/bench_residual.h"
#include "cli/bench_speed.h"
#include "cli/bench_timing.h"
#include "cli/model_options.h"
#include "core/format.h"
#include "model/parallel.h"

namespace bankai::cli {
namespace {

constexpr const char* kProgram = "bankai-bench";
constexpr const char* kSynopsis =
    "Usage: bankai-bench -m MODEL.gguf [-p 512] [-n 128] [-d 0] [-r 3] [-t THREADS] [--profile]\n"
    "       bankai-bench -m MODEL.gguf -p 0 -n 0 --target FILE [--control FILE]\n"
    "       bankai-bench --random 1.7b [--save FILE]\n"
    "       bankai-bench --random-bit1 21m [--save FILE]\n"
    "       bankai-bench --random-residual 21m [--save FILE]\n"
    "\n"
    "Measures prompt processing, generation and the evaluation of flips, beside the memory\n"
    "bandwidth and the integer arithmetic of this machine, measured in the same run.\n";

// What means something for models of GGUF files and packs.
constexpr const char* kGgufOptions =
    "model random weights save seed n-prompt n-gen depth profile candidates target control "
    "repetitions activations kv-bits kv-quant kv-type i2s-layout";

double median_of_limit(const BenchOptions& options, const std::function<double()>& measure_limit) {
  return median_beside(options.repetitions, measure_limit, [] {}).limit;
}

Result<BenchReport> measure(const BenchOptions& options, const BenchModel& bench,
                            const bfs::Objective& objective, const kernels::KernelTable& table,
                            int threads, Progress& progress) {
  const model::Model& model = *bench.model;
  BenchReport report;
  report.options = options;
  report.model = bench.name;
  report.load_seconds = bench.load_seconds;
  report.model_bytes = model.file().bytes().size();
  report.layer_weights = layer_weights(model);
  report.head_weights = head_weights(model);
  report.weights = report.layer_weights + report.head_weights;
  report.weight_bytes_per_token = weight_bytes_per_token(model);
  model::ForwardOptions forward = model::forward_options(options.activations, threads);
  if (options.kv) forward.kv = *options.kv;
  report.kv_bytes_per_position = model::kv_bytes_per_position(model.parameters(), forward.kv);
  report.activations = mode_name(options.activations);
  report.candidate_activations = mode_name(options.candidate_activations);
  report.kernel = table.name;
  report.threads = threads;
  report.kv = model::kv_format_text(forward.kv);
  model::Transformer transformer(model, table, forward);
  model::Transformer for_candidates(model, table,
                                    model::forward_options(options.candidate_activations, threads));
  progress.update("checking the kernels", -1.0);
  BANKAI_RETURN_IF_ERROR(check_against_scalar(transformer));
  if (options.candidate_activations != options.activations)
    BANKAI_RETURN_IF_ERROR(check_against_scalar(for_candidates));
  progress.update("measuring the machine", -1.0);
  BANKAI_ASSIGN_OR_RETURN(const BandwidthMeter bandwidth, BandwidthMeter::create(threads));
  report.read_bytes_per_s = median_of_limit(options, [&] { return bandwidth.measure(); });
  report.int8_per_s = median_of_limit(options, [&] { return measure_int8_peak(table, threads); });
  for (const std::size_t tokens : options.prompts) {
    progress.update(format("measuring a prompt of %zu", tokens), -1.0);
    report.prompts.push_back(measure_prompt(transformer, tokens, options));
  }
  if (options.generated_tokens > 0)
    for (const std::size_t depth : options.depths) {
      progress.update(format("measuring generation at %zu", depth), -1.0);
      report.generations.push_back(
          measure_generation(transformer, options.generated_tokens, depth, options, bandwidth));
    }
  if (options.candidates != std::size_t{0}) {
    progress.update("measuring the evaluation of flips", -1.0);
    BANKAI_ASSIGN_OR_RETURN(report.candidates,
                            measure_candidates(for_candidates, objective, options));
  }
  return report;
}

Status run(int argc, const char* const* argv) {
  CommandLine line(kProgram, kSynopsis);
  add_bench_options(line);
  BANKAI_ASSIGN_OR_RETURN(const bool proceed, line.parse(argc, argv));
  if (!proceed) return {};
  BANKAI_ASSIGN_OR_RETURN(const BenchOptions options, read_bench_options(line));
  BANKAI_ASSIGN_OR_RETURN(const ModelKind kind, bench_model_kind(options));
  switch (kind) {
    case ModelKind::kBit1: return bench_binary(line, options);
    case ModelKind::kBinaryResidual: return bench_residual(line, options);
    case ModelKind::kGolf: return bench_golf(line, options);
    case ModelKind::kGguf: break;
  }
  BANKAI_RETURN_IF_ERROR(line.accept_only("a GGUF model", kGgufOptions));
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(model::available_threads()));
  BANKAI_ASSIGN_OR_RETURN(const kernels::KernelTable* table, line.kernel());
  BANKAI_ASSIGN_OR_RETURN(const model::LoadOptions load, read_load_options(line, threads));
  Progress progress(!line.quiet());
  const Overwrite overwrite = line.force() ? Overwrite::kReplace : Overwrite::kRefuse;
  BANKAI_ASSIGN_OR_RETURN(const BenchModel bench,
                          open_bench_model(options, load, overwrite, progress));
  for (const std::string& warning : bench.model->warnings()) progress.remark("warning: " + warning);
  if (options.only_writes()) {
    progress.finish();
    return report_written(bench.name, options.save, line.json());
  }
  BANKAI_RETURN_IF_ERROR(check_lengths(options, bench.model->parameters().context));
  BANKAI_ASSIGN_OR_RETURN(const bfs::Objective objective, bench_objective(options, *bench.model));
  BANKAI_ASSIGN_OR_RETURN(const BenchReport report,
                          measure(options, bench, objective, *table, threads, progress));
  progress.finish();
  print_bench_report(report, line.json());
  return {};
}

}  // namespace
}  // namespace bankai::cli

int main(int argc, char** argv) {
  return bankai::cli::run_program("bankai-bench", [&] { return bankai::cli::run(argc, argv); });
}
