#include "patch/apply.h"

#include <algorithm>
#include <cstring>

#include "core/format.h"

namespace bankai::patch {
namespace {

Status check_flips(const FlipSet& flips, const MatrixLookup& lookup) {
  ShapeTable shapes;
  for (const TensorAddress tensor : flips.tensors()) {
    const std::optional<BitMatrixView> matrix = lookup(tensor);
    if (!matrix) continue;  // named by the check against the table
    if (matrix->rows() > kMaxRows || matrix->cols() > kMaxCols)
      return make_error(ErrorCode::kUnsupported, "%s has more than %u rows or columns",
                        to_string(tensor).c_str(), kMaxRows);
    shapes[tensor] = {static_cast<std::uint32_t>(matrix->rows()),
                      static_cast<std::uint32_t>(matrix->cols())};
  }
  return check_against_shapes(flips, shapes);
}

// Calls visit(tensor's matrix, row, group, bits) for every group that changes.
template <typename Lookup, typename Visit>
void for_each_change(const FlipSet& flips, const Lookup& lookup, Visit visit) {
  for (const TensorAddress tensor : flips.tensors()) {
    const auto matrix = *lookup(tensor);
    const auto num_groups = static_cast<std::uint32_t>(matrix.groups_per_row());
    for_each_row(flips.of(tensor), [&](std::uint32_t row, std::span<const Flip> of_row) {
      for_each_group(
          mask_of_row(of_row), num_groups,
          [&](std::uint32_t group, const GroupBits& bits) { visit(matrix, row, group, bits); });
    });
  }
}

}  // namespace

Status toggle_flips(const FlipSet& flips, const MutableMatrixLookup& lookup) {
  const MatrixLookup constant = [&](TensorAddress tensor) -> std::optional<BitMatrixView> {
    const auto matrix = lookup(tensor);
    if (!matrix) return std::nullopt;
    return BitMatrixView(*matrix);
  };
  BANKAI_RETURN_IF_ERROR(check_flips(flips, constant));
  for_each_change(flips, lookup,
                  [](const MutableBitMatrixView& matrix, std::uint32_t row, std::uint32_t group,
                     const GroupBits& bits) {
                    GroupBits value;
                    std::byte* place = matrix.group_bits(row, group);
                    std::memcpy(value.data(), place, sizeof value);
                    value[0] ^= bits[0];
                    value[1] ^= bits[1];
                    std::memcpy(place, value.data(), sizeof value);
                  });
  return {};
}

Result<std::vector<FileEdit>> collect_edits(const FlipSet& flips, const MatrixLookup& lookup,
                                            std::span<const std::byte> file) {
  BANKAI_RETURN_IF_ERROR(check_flips(flips, lookup));
  std::vector<FileEdit> edits;
  for_each_change(flips, lookup,
                  [&](const BitMatrixView& matrix, std::uint32_t row, std::uint32_t group,
                      const GroupBits& bits) {
                    const std::byte* place = matrix.group_bits(row, group);
                    BANKAI_CHECK(
                        place >= file.data() && place + kGroupBitBytes <= file.data() + file.size(),
                        "a matrix outside the file that is to be edited");
                    edits.push_back({static_cast<std::uint64_t>(place - file.data()), bits});
                  });
  std::sort(edits.begin(), edits.end(),
            [](const FileEdit& a, const FileEdit& b) { return a.offset < b.offset; });
  return edits;
}

}  // namespace bankai::patch
