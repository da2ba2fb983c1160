#include "bfs/candidate_space.h"

#include <algorithm>
#include <utility>

#include "bfs/flippable.h"

namespace bankai::bfs {
namespace {

using patch::FlipKind;

constexpr std::array<std::string_view, 4> kGranularityNames = {"row", "group", "bit", "mixed"};

bool has_kind(Granularity granularity, FlipKind kind, const patch::TensorShape& matrix) {
  switch (granularity) {
    case Granularity::kRow: return kind == FlipKind::kRow;
    case Granularity::kGroup: return kind == FlipKind::kGroup;
    case Granularity::kBit: return patch::is_single(kind);
    case Granularity::kMixed: return kind != FlipKind::kGroup || matrix.groups_per_row() > 1;
  }
  return false;
}

std::uint64_t flips_per_row(const patch::TensorShape& matrix, FlipKind kind) {
  switch (kind) {
    case FlipKind::kRow: return 1;
    case FlipKind::kGroup: return matrix.groups_per_row();
    case FlipKind::kBit:
    case FlipKind::kStepUp:
    case FlipKind::kStepDown: return matrix.cols;
  }
  return 1;
}

}  // namespace

std::string_view granularity_name(Granularity granularity) {
  return kGranularityNames[static_cast<std::size_t>(granularity)];
}

std::optional<Granularity> find_granularity(std::string_view name) {
  for (std::size_t i = 0; i < kGranularityNames.size(); ++i)
    if (kGranularityNames[i] == name) return static_cast<Granularity>(i);
  return std::nullopt;
}

CandidateSpace::CandidateSpace(const model::Model& model, std::span<const TensorAddress> tensors,
                               Granularity granularity)
    : CandidateSpace(flippable_weights(model), tensors, granularity) {}

CandidateSpace::CandidateSpace(const patch::MatrixLookup& weights,
                               std::span<const TensorAddress> tensors, Granularity granularity)
    : tensors_(tensors.begin(), tensors.end()), first_{0}, granularity_(granularity) {
  std::sort(tensors_.begin(), tensors_.end());
  for (std::size_t tensor = 0; tensor < tensors_.size(); ++tensor) {
    const std::optional<patch::WeightView> view = weights(tensors_[tensor]);
    BANKAI_CHECK(view.has_value(), "a searched tensor without weights to flip");
    const Result<patch::TensorShape> matrix = patch::shape_of(tensors_[tensor], *view);
    BANKAI_CHECK(matrix.ok(), "a searched tensor beyond the limits of patches");
    const bool is_ternary = std::holds_alternative<TritMatrixView>(*view);
    CandidateId next = first_.back();
    for (const FlipKind kind : kFlipKinds) {
      const bool exists = !patch::is_single(kind) || patch::is_step(kind) == is_ternary;
      if (!exists || !has_kind(granularity, kind, *matrix)) continue;
      blocks_.push_back({tensor, kind, matrix->rows, flips_per_row(*matrix, kind), next});
      next += blocks_.back().count();
    }
    first_.push_back(next);
  }
}

patch::Flip CandidateSpace::flip(CandidateId id) const {
  BANKAI_CHECK(id < size(), "no such candidate");
  const auto next =
      std::upper_bound(blocks_.begin(), blocks_.end(), id,
                       [](CandidateId wanted, const Block& block) { return wanted < block.first; });
  const Block& block = *(next - 1);
  const std::uint64_t within = id - block.first;
  return {tensors_[block.tensor], static_cast<std::uint32_t>(within / block.per_row), block.kind,
          static_cast<std::uint32_t>(within % block.per_row)};
}

CandidateId CandidateSpace::id_of(const patch::Flip& flip) const {
  const auto tensor = std::lower_bound(tensors_.begin(), tensors_.end(), flip.tensor);
  BANKAI_CHECK(tensor != tensors_.end() && *tensor == flip.tensor, "a flip of another tensor");
  const Block* block = find_block(static_cast<std::size_t>(tensor - tensors_.begin()), flip.kind);
  BANKAI_CHECK(block != nullptr && flip.row < block->rows && flip.index < block->per_row,
               "a flip outside the space");
  return block->first + flip.row * block->per_row + flip.index;
}

const CandidateSpace::Block* CandidateSpace::find_block(std::size_t tensor, FlipKind kind) const {
  const auto wanted = std::pair(tensor, kind);
  const auto block = std::lower_bound(blocks_.begin(), blocks_.end(), wanted,
                                      [](const Block& candidate, const auto& target) {
                                        return std::pair(candidate.tensor, candidate.kind) < target;
                                      });
  if (block == blocks_.end() || std::pair(block->tensor, block->kind) != wanted) return nullptr;
  return &*block;
}

CandidateId CandidateSpace::first(std::size_t tensor, FlipKind kind) const {
  const Block* block = find_block(tensor, kind);
  return block == nullptr ? first_[tensor] : block->first;
}

std::uint64_t CandidateSpace::count(std::size_t tensor, FlipKind kind) const {
  const Block* block = find_block(tensor, kind);
  return block == nullptr ? 0 : block->count();
}

std::uint64_t CandidateSpace::count_per_row(std::size_t tensor, FlipKind kind) const {
  const Block* block = find_block(tensor, kind);
  return block == nullptr ? 0 : block->per_row;
}

CandidateId CandidateSpace::candidate_in_row(std::uint64_t row, double where) const {
  BANKAI_CHECK(granularity_ != Granularity::kMixed, "rows have candidates of several sizes");
  for (std::size_t begin = 0, end = 0; begin < blocks_.size(); begin = end) {
    std::uint64_t per_row = 0;  // of all kinds of the tensor
    for (; end < blocks_.size() && blocks_[end].tensor == blocks_[begin].tensor; ++end)
      per_row += blocks_[end].per_row;
    if (row >= blocks_[begin].rows) {
      row -= blocks_[begin].rows;
      continue;
    }
    auto index = static_cast<std::uint64_t>(where * static_cast<double>(per_row));
    std::size_t i = begin;
    for (; index >= blocks_[i].per_row; ++i) index -= blocks_[i].per_row;
    return blocks_[i].first + row * blocks_[i].per_row + index;
  }
  BANKAI_CHECK(false, "no such row");
  return 0;
}

}  // namespace bankai::bfs
