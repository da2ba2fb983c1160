#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

#include "cli/infer_jobs.h"
#include "cli/json_output.h"
#include "cli/report_text.h"
#include "core/clock.h"
#include "core/format.h"
#include "model/perplexity.h"

namespace bankai::cli {
namespace {

constexpr std::size_t kDefaultContext = 512;

struct Windows {
  std::size_t context = 0;
  std::size_t stride = 0;
};

Result<Windows> choose_windows(InferSession& session) {
  const std::size_t declared = session.model->parameters().context;
  Windows windows;
  windows.context = session.options.context.value_or(std::min(kDefaultContext, declared));
  windows.stride = session.options.stride.value_or(windows.context);
  if (windows.stride > windows.context)
    return make_error(ErrorCode::kUsage,
                      "--stride %zu: expected at most the window's %s (--ctx-size)", windows.stride,
                      counted(windows.context, "token").c_str());
  if (windows.context > declared)
    session.warn(format("windows of %s go beyond the context of %zu that the model declares",
                        counted(windows.context, "token").c_str(), declared));
  return windows;
}

}  // namespace

Status infer_perplexity(InferSession& session) {
  BANKAI_ASSIGN_OR_RETURN(const Windows windows, choose_windows(session));
  BANKAI_ASSIGN_OR_RETURN(const std::string text, read_text(session.options));
  const Stopwatch clock;
  Result<model::PerplexityResult> measured = model::measure_perplexity(
      *session.transformer, session.patched(), text, windows.context, windows.stride,
      [&](std::size_t done, std::size_t all) {
        session.progress.update("perplexity", static_cast<double>(done) / static_cast<double>(all));
      });
  session.progress.finish();
  if (!measured.ok())
    return with_context(std::move(measured).error(), session.options.file.value_or("--prompt"));
  const model::PerplexityResult& result = *measured;
  session.note(format("%.3f s, %.1f tokens/s", clock.seconds(),
                      static_cast<double>(result.tokens_scored) / clock.seconds()));
  if (session.line.json()) {
    print_json_line(nlohmann::ordered_json{{"tokens_scored", result.tokens_scored},
                                           {"nll", result.nll},
                                           {"perplexity", result.perplexity},
                                           {"bits_per_byte", result.bits_per_byte},
                                           {"bytes_scored", result.bytes_scored},
                                           {"context", windows.context},
                                           {"stride", windows.stride}});
    return {};
  }
  std::cout << format("tokens scored  %zu (windows of %zu, stride %zu)\n", result.tokens_scored,
                      windows.context, windows.stride)
            << format("nll            %.6f nats per token\n", result.nll)
            << format("perplexity     %.6f\n", result.perplexity)
            << format("bits per byte  %.6f (%s)\n", result.bits_per_byte,
                      counted(result.bytes_scored, "byte").c_str());
  return {};
}

}  // namespace bankai::cli
