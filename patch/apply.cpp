#include "patch/apply.h"

#include <algorithm>
#include <cstring>

#include "core/format.h"

namespace bankai::patch {
namespace {

// An edit of bytes in memory.
template <typename Byte>
struct Change {
  Byte* place = nullptr;
  FileEdit edit;  // without its offset
};
template <typename Byte>
using Changes = std::vector<Change<Byte>>;

template <typename Byte>
Status add_changes(const BasicBitMatrixView<Byte>& matrix, TensorAddress, std::uint32_t row,
                   const RowMask& mask, Changes<Byte>& changes) {
  for_each_group(mask, static_cast<std::uint32_t>(matrix.groups_per_row()),
                 [&](std::uint32_t group, const GroupBits& bits) {
                   changes.push_back({matrix.group_bits(row, group), {0, bits, kGroupBitBytes}});
                 });
  return {};
}

// Two versions of the bytes of a block, as changes of 16 bytes at most.
template <typename Byte>
void add_difference(Byte* place, std::span<const std::byte> from, std::span<const std::byte> to,
                    Changes<Byte>& changes) {
  for (std::size_t at = 0; at < from.size(); at += sizeof(GroupBits)) {
    const std::size_t size = std::min(sizeof(GroupBits), from.size() - at);
    GroupBits old_bytes{};
    GroupBits new_bytes{};
    std::memcpy(old_bytes.data(), from.data() + at, size);
    std::memcpy(new_bytes.data(), to.data() + at, size);
    if (old_bytes == new_bytes) continue;
    changes.push_back({place + at,
                       {0,
                        {old_bytes[0] ^ new_bytes[0], old_bytes[1] ^ new_bytes[1]},
                        static_cast<std::uint32_t>(size)}});
  }
}

template <typename Byte>
Status add_changes(const BasicTritMatrixView<Byte>& matrix, TensorAddress tensor, std::uint32_t row,
                   const RowMask& mask, Changes<Byte>& changes) {
  const TritLayout& layout = matrix.layout();
  std::vector<std::uint8_t> codes(matrix.cols());
  matrix.read_codes(row, codes.data());
  const std::vector<std::uint8_t> before = codes;
  if (const auto col = change_codes(mask, codes))
    return make_error(ErrorCode::kUnsupported,
                      "%s row %u column %u has the code 3, which is no trit: a patch cannot "
                      "change it",
                      to_string(tensor).c_str(), row, *col);
  for (std::size_t block = 0; block < matrix.blocks_per_row(); ++block) {
    const std::size_t first = block * layout.block_cols;
    const std::uint8_t* old_codes = before.data() + first;
    if (std::equal(old_codes, old_codes + layout.block_cols, codes.data() + first)) continue;
    Byte* place = matrix.block(row, block);
    const std::vector<std::byte> old_bytes(place, place + layout.block_bytes);
    std::vector<std::byte> bytes = old_bytes;
    encode_trits(layout, old_codes, bytes.data());
    if (bytes != old_bytes)
      return make_error(ErrorCode::kUnsupported,
                        "%s row %u block %zu has base-3 digits in a byte that no writer uses: a "
                        "patch on it could not be reverted",
                        to_string(tensor).c_str(), row, block);
    encode_trits(layout, codes.data() + first, bytes.data());
    add_difference(place, std::span(old_bytes), std::span(std::as_const(bytes)), changes);
  }
  return {};
}

// The changes of all matrices, of which nothing has been made yet. REQUIRES: shapes_of has checked.
template <typename Byte, typename Lookup>
Result<Changes<Byte>> collect_changes(const FlipSet& flips, const Lookup& lookup) {
  Changes<Byte> changes;
  for (const TensorAddress tensor : flips.tensors()) {
    const auto matrix = *lookup(tensor);
    Status status;
    for_each_row(flips.of(tensor), [&](std::uint32_t row, std::span<const Flip> of_row) {
      if (!status.ok()) return;
      status = std::visit(
          [&](const auto& view) {
            return add_changes(view, tensor, row, mask_of_row(of_row), changes);
          },
          matrix);
    });
    BANKAI_RETURN_IF_ERROR(status);
  }
  return changes;
}

}  // namespace

void apply_edit(const FileEdit& edit, std::byte* place) {
  GroupBits value;
  std::memcpy(value.data(), place, edit.size_bytes);
  value[0] ^= edit.mask[0];
  value[1] ^= edit.mask[1];
  std::memcpy(place, value.data(), edit.size_bytes);
}

Status toggle_flips(const FlipSet& flips, const MutableMatrixLookup& lookup) {
  const MatrixLookup constant = [&](TensorAddress tensor) -> std::optional<WeightView> {
    const auto matrix = lookup(tensor);
    if (!matrix) return std::nullopt;
    return std::visit([](const auto& view) -> WeightView { return view; }, *matrix);
  };
  BANKAI_RETURN_IF_ERROR(shapes_of(flips, constant));
  BANKAI_ASSIGN_OR_RETURN(const auto changes, collect_changes<std::byte>(flips, lookup));
  for (const auto& [place, edit] : changes) apply_edit(edit, place);
  return {};
}

Status check_flips(const FlipSet& flips, const MatrixLookup& lookup) {
  BANKAI_RETURN_IF_ERROR(shapes_of(flips, lookup));
  BANKAI_RETURN_IF_ERROR(collect_changes<const std::byte>(flips, lookup));
  return {};
}

Result<std::vector<FileEdit>> collect_edits(const FlipSet& flips, const MatrixLookup& lookup,
                                            std::span<const std::byte> file) {
  BANKAI_RETURN_IF_ERROR(shapes_of(flips, lookup));
  BANKAI_ASSIGN_OR_RETURN(const auto changes, collect_changes<const std::byte>(flips, lookup));
  std::vector<FileEdit> edits;
  for (auto [place, edit] : changes) {
    BANKAI_CHECK(place >= file.data() && place + edit.size_bytes <= file.data() + file.size(),
                 "a matrix outside the file that is to be edited");
    edit.offset = static_cast<std::uint64_t>(place - file.data());
    edits.push_back(edit);
  }
  std::sort(edits.begin(), edits.end(),
            [](const FileEdit& a, const FileEdit& b) { return a.offset < b.offset; });
  return edits;
}

}  // namespace bankai::patch
