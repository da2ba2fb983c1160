#include "cli/search_setup.h"

#include <bit>
#include <filesystem>
#include <string>
#include <utility>

#include "bfs/binary_search_model.h"
#include "bfs/character_search_model.h"
#include "bfs/residual_search_model.h"
#include "bfs/search_digest.h"
#include "cli/binary_options.h"
#include "cli/model_kind.h"
#include "cli/model_opening.h"
#include "cli/model_options.h"
#include "cli/shared_model.h"
#include "model/bit1_file.h"
#include "mpi/agreement.h"
#include "mpi/core_share.h"

namespace bankai::cli {
namespace {

// What needs no model.
Status read_options(const CommandLine& line, int default_threads, SearchSetup& setup) {
  BANKAI_ASSIGN_OR_RETURN(setup.files, read_search_files(line));
  BANKAI_ASSIGN_OR_RETURN(const kernels::ActivationMode mode, read_activation_mode(line));
  BANKAI_ASSIGN_OR_RETURN(const int threads, line.threads(default_threads));
  BANKAI_ASSIGN_OR_RETURN(setup.table, line.kernel());
  BANKAI_ASSIGN_OR_RETURN(setup.load, read_load_options(line, threads));
  setup.forward = model::forward_options(mode, threads);
  return {};
}

// What a search of any model takes, and what only one that runs on floats does.
constexpr const char* kSearchOptions =
    "model target control heldout metric control-metric control-penalty ctx layers tensors "
    "granularity strategy candidates shortlist iterations budget-flips budget-bytes min-gain "
    "flip-penalty pareto population heldout-level min-effect patience time-limit seed output name "
    "bare verify-fraction scores-out checkpoint resume log activation-memory shards ";
constexpr const char* kFloatOptions = "i2s-layout activations curvature ";
constexpr const char* kPredictionOptions = "probe-fraction explain check-ranking atlas ";

Status load_binary(const CommandLine& line, SearchSetup& setup) {
  BANKAI_RETURN_IF_ERROR(line.accept_only(
      "a BIT1 model", std::string(kSearchOptions) + kPredictionOptions + kBinaryOptions));
  const auto& path = line.get<std::string>("model");
  const int threads = setup.forward.threads;
  BANKAI_ASSIGN_OR_RETURN(model::BinaryModel model, load_binary_model(line, path, threads));
  setup.binary = std::make_unique<model::BinaryModel>(std::move(model));
  BANKAI_ASSIGN_OR_RETURN(const model::BinaryOptions rules, read_binary_options(line, threads));
  BANKAI_ASSIGN_OR_RETURN(const double scale, read_logit_scale(line, setup.binary->shape));
  auto searched = bfs::make_binary_search_model(*setup.binary, *setup.table, rules, scale,
                                                std::filesystem::path(path).stem().string());
  if (!searched.ok()) return with_context(std::move(searched).error(), path);
  setup.searched = std::move(searched).value();
  Sha256 hash;  // of all that decides what the model says
  hash.update(model::encode_bit1(*setup.binary));
  setup.model_hash = hash.finish();
  return {};
}

Status load_residual(const CommandLine& line, SearchSetup& setup) {
  BANKAI_RETURN_IF_ERROR(line.accept_only("a bankai-binary model", kSearchOptions));
  const auto& path = line.get<std::string>("model");
  const int threads = setup.forward.threads;
  BANKAI_ASSIGN_OR_RETURN(const model::GgufFile file, open_model_file(path, threads));
  BANKAI_ASSIGN_OR_RETURN(model::BinaryResidualModel model, model::read_binary_residual(file));
  setup.residual = std::make_unique<model::BinaryResidualModel>(std::move(model));
  auto searched = bfs::make_residual_search_model(*setup.residual, *setup.table, threads,
                                                  std::filesystem::path(path).stem().string());
  if (!searched.ok()) return with_context(std::move(searched).error(), path);
  setup.searched = std::move(searched).value();
  setup.model_hash = bfs::hash_model(file);
  return {};
}

// Collective.
Status load(const CommandLine& line, mpi::Communicator& communicator, SearchSetup& setup) {
  const auto& path = line.get<std::string>("model");
  const Result<ModelKind> kind = detect_model_kind(path);
  BANKAI_RETURN_IF_ERROR(mpi::agree(communicator, kind.ok() ? Status() : Status(kind.error())));
  if (*kind == ModelKind::kBit1) return mpi::agree(communicator, load_binary(line, setup));
  if (*kind == ModelKind::kBinaryResidual)
    return mpi::agree(communicator, load_residual(line, setup));
  BANKAI_RETURN_IF_ERROR(mpi::agree(
      communicator, line.accept_only("a GGUF model", std::string(kSearchOptions) +
                                                         kPredictionOptions + kFloatOptions)));
  Result<std::unique_ptr<model::Model>> model = load_shared_model(path, setup.load, communicator);
  BANKAI_RETURN_IF_ERROR(mpi::agree(communicator, model.ok() ? Status() : Status(model.error())));
  setup.model = std::move(model).value();
  setup.transformer =
      std::make_unique<model::Transformer>(*setup.model, *setup.table, setup.forward);
  setup.searched = bfs::make_search_model(*setup.transformer);
  setup.model_hash = bfs::hash_model(setup.model->file());
  return {};
}

// The rules of a strictly binary model are part of what a search depends on.
Sha256Digest with_rules(const CommandLine& line, const Sha256Digest& digest) {
  Sha256 hash;
  hash.update(digest);
  for (const char* rule : {"tie", "score"}) hash.update(line.get<std::string>(rule));
  if (line.has("logit-scale"))
    hash.update_u64(std::bit_cast<std::uint64_t>(line.get<double>("logit-scale")));
  return hash.finish();
}

// What no proposal of this model would heed.
Status check_proposals(const SearchSetup& setup) {
  if (setup.model == nullptr && setup.options.candidates > 0 && setup.options.probe_fraction < 1.0)
    return Error{ErrorCode::kUsage,
                 "--probe-fraction is for proposals by predictions; on binary models --candidates "
                 "takes them from exact scores on all targets"};
  return {};
}

Status set_up(const CommandLine& line, SearchSetup& setup) {
  BANKAI_ASSIGN_OR_RETURN(setup.options, read_search_options(line, *setup.searched));
  BANKAI_RETURN_IF_ERROR(check_proposals(setup));
  setup.options.only_ranks = setup.files.check_ranking == 0U;
  BANKAI_ASSIGN_OR_RETURN(setup.data, read_search_data(line));
  setup.digest =
      bfs::hash_search(setup.model_hash, setup.forward.activations, setup.options, setup.data);
  if (setup.residual != nullptr)
    return bfs::check_binary_data(setup.data, setup.residual->shape.vocabulary);
  if (setup.binary == nullptr) return {};
  setup.digest = with_rules(line, setup.digest);
  return bfs::check_binary_data(setup.data, setup.binary->shape.vocabulary);
}

}  // namespace

Result<SearchSetup> set_up_search(const CommandLine& line, mpi::Communicator& communicator) {
  SearchSetup setup;
  BANKAI_RETURN_IF_ERROR(
      mpi::agree(communicator, read_options(line, mpi::cores_for_this_rank(communicator), setup)));
  BANKAI_RETURN_IF_ERROR(load(line, communicator, setup));
  BANKAI_RETURN_IF_ERROR(mpi::agree(communicator, set_up(line, setup)));
  BANKAI_RETURN_IF_ERROR(
      mpi::all_equal(communicator, setup.digest, "the model, the data or an option"));
  return setup;
}

}  // namespace bankai::cli
