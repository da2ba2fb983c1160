#include "bfs/candidate_space.h"

#include <algorithm>
#include <array>

namespace bankai::bfs {
namespace {

constexpr std::array<std::string_view, 3> kGranularityNames = {"row", "group", "bit"};

std::uint64_t candidates_per_row(const BitMatrixView& matrix, Granularity granularity) {
  switch (granularity) {
    case Granularity::kRow: return 1;
    case Granularity::kGroup: return matrix.groups_per_row();
    case Granularity::kBit: return matrix.cols();
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
    : tensors_(tensors.begin(), tensors.end()), first_{0}, granularity_(granularity) {
  std::sort(tensors_.begin(), tensors_.end());
  for (const TensorAddress address : tensors_) {
    const std::optional<BitMatrixView> matrix = model.bit_matrix(address);
    BANKAI_CHECK(matrix.has_value(), "a searched tensor without one-bit weights");
    per_row_.push_back(candidates_per_row(*matrix, granularity));
    first_.push_back(first_.back() + matrix->rows() * per_row_.back());
  }
}

patch::Flip CandidateSpace::flip(CandidateId id) const {
  BANKAI_CHECK(id < size(), "no such candidate");
  const auto next = std::upper_bound(first_.begin(), first_.end(), id);
  const auto tensor = static_cast<std::size_t>(next - first_.begin()) - 1;
  const std::uint64_t within = id - first_[tensor];
  const auto row = static_cast<std::uint32_t>(within / per_row_[tensor]);
  const auto index = static_cast<std::uint32_t>(within % per_row_[tensor]);
  switch (granularity_) {
    case Granularity::kRow: return patch::row_flip(tensors_[tensor], row);
    case Granularity::kGroup: return patch::group_flip(tensors_[tensor], row, index);
    case Granularity::kBit: return patch::bit_flip(tensors_[tensor], row, index);
  }
  return {};
}

CandidateId CandidateSpace::candidate_in_row(std::uint64_t row, double where) const {
  for (std::size_t tensor = 0; tensor < tensors_.size(); ++tensor) {
    const std::uint64_t rows = (first_[tensor + 1] - first_[tensor]) / per_row_[tensor];
    if (row < rows)
      return first_[tensor] + row * per_row_[tensor] +
             static_cast<std::uint64_t>(where * static_cast<double>(per_row_[tensor]));
    row -= rows;
  }
  BANKAI_CHECK(false, "no such row");
  return 0;
}

}  // namespace bankai::bfs
