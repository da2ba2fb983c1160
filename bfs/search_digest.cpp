#include "bfs/search_digest.h"

#include <algorithm>
#include <bit>

namespace bankai::bfs {
namespace {

// Lengths go in front of texts and lists, so that different contents never give the same bytes.
class Digest {
 public:
  void add(std::uint64_t value) { hash_.update_u64(value); }
  void add(double value) { add(std::bit_cast<std::uint64_t>(value)); }
  void add(std::string_view text) {
    add(static_cast<std::uint64_t>(text.size()));
    hash_.update(text);
  }
  void add(const std::vector<WeightedData>& sources) {
    add(static_cast<std::uint64_t>(sources.size()));
    for (const WeightedData& source : sources) add(source);
  }
  void add(std::span<const std::byte> bytes) { hash_.update(bytes); }
  Sha256Digest finish() { return hash_.finish(); }

 private:
  void add(const std::vector<std::string>& texts) {
    add(static_cast<std::uint64_t>(texts.size()));
    for (const std::string& text : texts) add(std::string_view(text));
  }
  void add(const WeightedData& source) {
    add(source.weight);
    add(source.data.texts);
    add(static_cast<std::uint64_t>(source.data.probes.size()));
    for (const Probe& probe : source.data.probes) {
      for (const std::string* text : {&probe.name, &probe.prompt, &probe.correct, &probe.wrong})
        add(std::string_view(*text));
      add(probe.alternates);
    }
  }

  Sha256 hash_;
};

}  // namespace

Sha256Digest hash_model(const model::GgufFile& file) {
  constexpr std::size_t kPieceBytes = std::size_t{1} << 24U;  // in memory at a time
  Sha256 hash;
  for (std::span<const std::byte> rest = file.bytes(); !rest.empty();) {
    const auto piece = rest.first(std::min(kPieceBytes, rest.size()));
    hash.update(piece);
    file.release(piece);
    rest = rest.subspan(piece.size());
  }
  return hash.finish();
}

Sha256Digest hash_search(const Sha256Digest& model, kernels::ActivationMode mode,
                         const SearchOptions& options, const SearchData& data) {
  Digest digest;
  digest.add(std::span<const std::byte>(model));
  for (const std::uint64_t value :
       {static_cast<std::uint64_t>(mode), static_cast<std::uint64_t>(options.strategy),
        static_cast<std::uint64_t>(options.metric),
        static_cast<std::uint64_t>(options.control_metric),
        static_cast<std::uint64_t>(options.granularity), options.iterations, options.seed,
        options.candidates, options.shortlist, static_cast<std::uint64_t>(options.budget_flips),
        static_cast<std::uint64_t>(options.budget_bytes),
        static_cast<std::uint64_t>(options.patience),
        static_cast<std::uint64_t>(options.population), std::uint64_t{options.pareto},
        static_cast<std::uint64_t>(options.text_context),
        static_cast<std::uint64_t>(options.tensors.size())})
    digest.add(value);
  for (const TensorAddress tensor : options.tensors) {
    digest.add(static_cast<std::uint64_t>(tensor.layer));
    digest.add(static_cast<std::uint64_t>(tensor.projection));
  }
  digest.add(options.control_penalty);
  digest.add(options.min_gain);
  digest.add(options.probe_fraction);
  digest.add(options.verify_fraction);
  digest.add(options.min_effect);
  digest.add(static_cast<std::uint64_t>(options.curvature ? 1 : 0));
  digest.add(static_cast<std::uint64_t>(options.bare ? 1 : 0));
  // Without all scores a checkpoint within the first round of greedy lacks some.
  digest.add(std::uint64_t{options.strategy == StrategyKind::kGreedy && options.all_scores});
  digest.add(options.flip_penalty);
  digest.add(std::string_view(options.patch_name));
  digest.add(data.targets);
  digest.add(data.controls);
  digest.add(data.held_out);
  return digest.finish();
}

}  // namespace bankai::bfs
