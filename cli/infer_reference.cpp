#include "cli/infer_reference.h"

#include "cli/kv_options.h"
#include "cli/model_options.h"
#include "core/format.h"

namespace bankai::cli {

namespace po = boost::program_options;
using Paths = std::vector<std::string>;

namespace {

// Activations, and keys and values.
Result<model::ForwardOptions> read_forward(const InferSession& session) {
  const CommandLine& line = session.line;
  kernels::ActivationMode mode = session.options.activations;
  if (line.has("reference-activations")) {
    BANKAI_ASSIGN_OR_RETURN(mode, read_activation_mode(line, "reference-activations"));
  }
  model::ForwardOptions forward =
      model::forward_options(mode, session.transformer->options().threads);
  BANKAI_ASSIGN_OR_RETURN(const auto kv, read_reference_kv(line));
  if (kv) forward.kv = *kv;
  return forward;
}

}  // namespace

void add_reference_options(CommandLine& line) {
  line.group("Divergence")("reference", po::value<std::string>(),
                           "model that the divergence is from (default: the same model)")(
      "reference-patch", po::value<Paths>(), "patch of the reference (default: none), repeatable")(
      "reference-activations", po::value<std::string>(), "a8 or a16 (default: as --activations)")(
      "reference-kv-bits", po::value<std::string>(),
      "as --kv-bits (default: 16 for a8, 32 for a16)")("reference-kv-quant",
                                                       po::value<std::string>(), "as --kv-quant")(
      "reference-kernel", po::value<std::string>(), "as --kernel (default: the same)");
}

Result<std::optional<model::KvFormat>> read_reference_kv(const CommandLine& line) {
  const bool has_quantiser = line.has("reference-kv-quant");
  if (!line.has("reference-kv-bits")) {
    if (!has_quantiser) return std::optional<model::KvFormat>();
    return Error{ErrorCode::kUsage, "--reference-kv-quant goes with --reference-kv-bits"};
  }
  BANKAI_ASSIGN_OR_RETURN(
      const model::KvFormat format,
      make_kv_format("reference-kv-bits", line.get<std::string>("reference-kv-bits"),
                     "reference-kv-quant",
                     has_quantiser ? &line.get<std::string>("reference-kv-quant") : nullptr));
  return std::optional<model::KvFormat>(format);
}

Result<Reference> open_reference(InferSession& session) {
  const CommandLine& line = session.line;
  Reference reference;
  BANKAI_ASSIGN_OR_RETURN(const model::ForwardOptions forward, read_forward(session));
  const kernels::KernelTable* table = &session.transformer->table();
  if (line.has("reference-kernel")) {
    BANKAI_ASSIGN_OR_RETURN(table,
                            kernels::select_kernel(line.get<std::string>("reference-kernel")));
  }
  if (line.has("reference")) {
    BANKAI_ASSIGN_OR_RETURN(const model::LoadOptions load,
                            read_load_options(line, forward.threads));
    BANKAI_ASSIGN_OR_RETURN(reference.own_model,
                            load_model(line.get<std::string>("reference"), load));
    for (const std::string& warning : reference.own_model->warnings()) session.warn(warning);
  }
  const model::Model& model = reference.own_model ? *reference.own_model : *session.model;
  if (line.has("reference-patch")) {
    BANKAI_ASSIGN_OR_RETURN(reference.patches,
                            load_patches(line.get<Paths>("reference-patch"), model, line.force(),
                                         [&](const std::string& text) { session.warn(text); }));
  }
  reference.transformer = std::make_unique<model::Transformer>(model, *table, forward);
  return reference;
}

}  // namespace bankai::cli
