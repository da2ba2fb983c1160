// The second way of running a model that --kl-divergence compares with.
#pragma once

#include <memory>
#include <optional>

#include "cli/infer_session.h"
#include "core/result.h"

namespace bankai::cli {

// Their long names, as for CommandLine::accept_only.
inline constexpr const char* kReferenceOptions =
    "reference reference-patch reference-activations reference-kv-bits reference-kv-quant "
    "reference-kernel";

// Declares --reference and the options that go with it.
void add_reference_options(CommandLine& line);

// --reference-kv-bits and --reference-kv-quant; nullopt if they are not given. Errors: kUsage.
Result<std::optional<model::KvFormat>> read_reference_kv(const CommandLine& line);

// A model (the session's own unless another file is named), its patches, and how it runs.
struct Reference {
  std::unique_ptr<model::Model> own_model;
  PatchStack patches;
  std::unique_ptr<model::Transformer> transformer;

  model::Replacements patched() const { return {&patches.overlay, {}}; }
};

// What was not said: no patches, the session's activations and kernels, and keys and values in 16
// bits (32 with a16). Errors: kUsage, and those of load_model and load_patches.
Result<Reference> open_reference(InferSession& session);

}  // namespace bankai::cli
