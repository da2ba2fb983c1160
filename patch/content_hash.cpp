// The hash of the content of one matrix.
#include <cstring>

#include "patch/fingerprint.h"
#include "patch/row_mask.h"

namespace bankai::patch {
namespace {

// Calls visit(row, mask of its flips or nullptr) for every row.
template <typename Visit>
void for_each_mask(std::size_t rows, std::span<const Flip> flips, Visit visit) {
  std::size_t next = 0;  // the first flip whose row has not been reached
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t begin = next;
    while (next < flips.size() && flips[next].row == row) ++next;
    if (next == begin) {
      visit(row, nullptr);
    } else {
      const RowMask mask = mask_of_row(flips.subspan(begin, next - begin));
      visit(row, &mask);
    }
  }
}

void toggle(std::vector<std::byte>& row_bits, const RowMask& mask) {
  const auto num_groups = static_cast<std::uint32_t>(row_bits.size() / kGroupBitBytes);
  for_each_group(mask, num_groups, [&](std::uint32_t group, const GroupBits& bits) {
    GroupBits value;
    std::byte* place = row_bits.data() + group * kGroupBitBytes;
    std::memcpy(value.data(), place, kGroupBitBytes);
    value[0] ^= bits[0];
    value[1] ^= bits[1];
    std::memcpy(place, value.data(), kGroupBitBytes);
  });
}

void hash_weights(const BitMatrixView& matrix, std::span<const Flip> flips, Sha256& hash) {
  std::vector<std::byte> bits(matrix.groups_per_row() * kGroupBitBytes);
  for_each_mask(matrix.rows(), flips, [&](std::size_t row, const RowMask* mask) {
    for (std::size_t group = 0; group < matrix.groups_per_row(); ++group)
      std::memcpy(bits.data() + group * kGroupBitBytes, matrix.group_bits(row, group),
                  kGroupBitBytes);
    if (mask != nullptr) toggle(bits, *mask);
    hash.update(bits);
  });
  std::vector<std::byte> scales(matrix.groups_per_row() * 2);
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (std::size_t group = 0; group < matrix.groups_per_row(); ++group)
      std::memcpy(scales.data() + group * 2, matrix.group_scale(row, group), 2);
    hash.update(scales);
  }
}

void hash_weights(const TritMatrixView& matrix, std::span<const Flip> flips, Sha256& hash) {
  const TritLayout in_order{TritPacking::kInOrder, matrix.cols(), matrix.cols() / 4, 0};
  std::vector<std::uint8_t> codes(matrix.cols());
  std::vector<std::byte> packed(in_order.block_bytes);
  for_each_mask(matrix.rows(), flips, [&](std::size_t row, const RowMask* mask) {
    matrix.read_codes(row, codes.data());
    if (mask != nullptr) static_cast<void>(change_codes(*mask, codes));
    encode_trits(in_order, codes.data(), packed.data());
    hash.update(packed);
  });
  if (matrix.matrix_scale() != nullptr) hash.update(std::span(matrix.matrix_scale(), 4));
  const TritLayout& layout = matrix.layout();
  if (!layout.has_scale()) return;
  constexpr std::size_t kScaleCols = 64;  // of the smallest blocks
  std::vector<std::byte> scales(matrix.cols() / kScaleCols * 2);
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (std::size_t i = 0; i < scales.size() / 2; ++i) {
      const std::byte* block = matrix.block(row, i * kScaleCols / layout.block_cols);
      std::memcpy(scales.data() + 2 * i, block + layout.scale_offset, 2);
    }
    hash.update(scales);
  }
}

}  // namespace

Sha256Digest hash_content(const WeightView& matrix, std::span<const Flip> flips) {
  Sha256 hash;
  std::visit(
      [&](const auto& view) {
        hash.update_u64(view.rows());
        hash.update_u64(view.cols());
        hash_weights(view, flips, hash);
      },
      matrix);
  return hash.finish();
}

}  // namespace bankai::patch
