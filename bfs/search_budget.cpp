// The part of a search's context that makes patches and knows what flips cost in them.
#include "bfs/flip_cost.h"
#include "bfs/search_context.h"
#include "core/check.h"
#include "patch/patch_binary.h"

namespace bankai::bfs {

Result<patch::Patch> SearchContext::make_patch(std::span<const CandidateId> ids) const {
  patch::Patch patch;
  patch.name = options_.patch_name;
  BANKAI_ASSIGN_OR_RETURN(patch.flips, patch::FlipSet::make(flips(ids), shapes_));
  return patch;
}

std::size_t SearchContext::patch_bytes(std::span<const CandidateId> ids) const {
  Result<patch::Patch> patch = make_patch(ids);
  BANKAI_CHECK(patch.ok(), "a candidate outside its tensor");
  patch->base.shapes = shapes_;
  patch::drop_untouched(patch->base, patch->flips);
  if (!options_.bare) patch->base.hash.emplace();  // its value does not change the size
  return patch::binary_size_bytes(*patch);
}

bool SearchContext::within_budget(std::span<const CandidateId> ids) const {
  if (options_.budget_flips > 0 && ids.size() > options_.budget_flips) return false;
  return options_.budget_bytes == 0 || patch_bytes(ids) <= options_.budget_bytes;
}

ByFlipKind SearchContext::flip_prices(const SearchState& state) const {
  ByFlipKind prices;
  prices.fill(1.0);
  if (options_.budget_bytes == 0) return prices;
  std::vector<patch::TensorShape> shapes;
  for (const auto& [tensor, shape] : shapes_) shapes.push_back(shape);
  const FlipCost cost(shapes);
  std::array<std::uint64_t, patch::kNumFlipKinds> counts = {};
  for (const CandidateId id : state.accepted)
    ++counts[static_cast<std::size_t>(space_.flip(id).kind)];
  for (const patch::FlipKind kind : kFlipKinds) {
    const auto index = static_cast<std::size_t>(kind);
    if (counts[index] < cost.num_places(kind))
      prices[index] = cost.marginal_bits(kind, counts[index]) / 8.0;
  }
  return prices;
}

}  // namespace bankai::bfs
