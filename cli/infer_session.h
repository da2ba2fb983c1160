// What the jobs of bankai-infer share: the loaded model with its patches, and where remarks go.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/infer_options.h"
#include "cli/patch_loading.h"
#include "cli/progress.h"
#include "core/result.h"
#include "model/model.h"
#include "model/transformer.h"

namespace bankai::cli {

struct InferSession {
  const CommandLine& line;
  InferOptions options;
  Progress progress;
  std::unique_ptr<model::Model> model;
  PatchStack patches;
  std::unique_ptr<model::Transformer> transformer;

  InferSession(const CommandLine& command_line, InferOptions infer_options)
      : line(command_line), options(std::move(infer_options)), progress(!line.quiet()) {}

  // The model as the patches make it.
  model::Replacements patched() const { return {&patches.overlay, {}}; }
  void warn(const std::string& text) { progress.remark(line.program() + ": warning: " + text); }
  // A figure for --verbose.
  void note(const std::string& text);
};

// Loads what every job but --tokenize needs.
Result<std::unique_ptr<InferSession>> open_session(const CommandLine& line, InferOptions options);

// The bytes of -p or -f.
Result<std::string> read_text(const InferOptions& options);

// The outcome of --tokenize.
Status print_tokens(const CommandLine& line, const std::vector<model::TokenId>& tokens);

}  // namespace bankai::cli
