#include "packer/tensor_groups.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "core/check.h"
#include "core/format.h"
#include "core/trit_blocks.h"
#include "kernels/ternary_blocks.h"
#include "model/parallel.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;

constexpr std::uint8_t kZeroTritCode = 1;

using Codes = std::array<std::uint8_t, kMaxTritBlock>;

// Codes of a byte each, as both other types have them in the file.
std::size_t plain_code_bytes(TensorType type, const GroupLayout& layout) {
  return type == TensorType::kQ1_0 ? layout.weights / 8 : layout.weights;
}

void add_group(const TensorShape& shape, const GroupLayout& layout, const std::byte* group,
               GroupCensus& census) {
  const bool is_zero = layout.has_scale && group[layout.scale_offset] == std::byte{0} &&
                       group[layout.scale_offset + 1] == std::byte{0};
  census.zero_groups += is_zero ? 1U : 0U;
  const TritLayout* trits = kernels::find_trit_layout(shape.type);
  if (trits == nullptr) {
    if (!is_zero) return;
    const std::byte* begin = group + layout.codes_offset;
    census.zeros_are_plain =
        census.zeros_are_plain && std::all_of(begin, begin + plain_code_bytes(shape.type, layout),
                                              [](std::byte byte) { return byte == std::byte{0}; });
    return;
  }
  Codes codes;
  decode_trits(*trits, group, codes.data());
  std::uint8_t any = 0;
  for (std::size_t i = 0; i < layout.weights; ++i)
    any = static_cast<std::uint8_t>(any | (codes[i] & (codes[i] >> 1U)));
  census.has_code_3 = census.has_code_3 || any != 0;
  if (is_zero)
    census.zeros_are_plain =
        census.zeros_are_plain &&
        std::count(codes.begin(), codes.begin() + layout.weights, kZeroTritCode) ==
            static_cast<std::ptrdiff_t>(layout.weights);
  if (trits->packing ==
      TritPacking::kBase3) {  // the only one with several bytes for the same codes
    std::array<std::byte, kMaxTritBlock> again;
    std::memcpy(again.data(), group, layout.bytes);
    encode_trits(*trits, codes.data(), again.data());
    census.comes_back = census.comes_back && std::memcmp(again.data(), group, layout.bytes) == 0;
  }
}

}  // namespace

GroupLayout group_layout(TensorType type) {
  const kernels::TensorTypeInfo& info = kernels::tensor_type_info(type);
  GroupLayout layout{.weights = info.block_weights,
                     .bytes = info.block_bytes,
                     .trailer_bytes = info.trailer_bytes};
  if (const TritLayout* trits = kernels::find_trit_layout(type)) {
    layout.has_scale = trits->has_scale();
    layout.scale_offset = layout.has_scale ? trits->scale_offset : 0;
    layout.codes_offset = trits->codes_offset;
  } else if (type == TensorType::kQ1_0 || type == TensorType::kQ8_0) {
    layout.has_scale = true;  // in front of the codes
    layout.codes_offset = 2;
  }
  return layout;
}

GroupCensus take_census(const TensorShape& shape, std::span<const std::byte> data, int threads) {
  const GroupLayout layout = group_layout(shape.type);
  const std::size_t groups = (data.size() - layout.trailer_bytes) / layout.bytes;
  GroupCensus all;
  std::mutex mutex;
  model::parallel_for(threads, groups, [&](IndexRange range) {
    GroupCensus census;
    for (std::size_t group = range.begin; group < range.end; ++group)
      add_group(shape, layout, data.data() + group * layout.bytes, census);
    const std::lock_guard lock(mutex);
    all.comes_back = all.comes_back && census.comes_back;
    all.has_code_3 = all.has_code_3 || census.has_code_3;
    all.zeros_are_plain = all.zeros_are_plain && census.zeros_are_plain;
    all.zero_groups += census.zero_groups;
  });
  return all;
}

GroupIndex::GroupIndex(const TensorShape& shape, const TensorSplit& split,
                       std::span<const std::byte> data)
    : layout_(group_layout(shape.type)) {
  const std::uint64_t groups = (shape.bytes - layout_.trailer_bytes) / layout_.bytes;
  if (!split.skips_zero_groups) {
    kept_ = groups;
    return;
  }
  for (std::uint64_t group = 0; group < groups; ++group) {
    if (group % kStride == 0) kept_before_.push_back(kept_);
    kept_ += is_zero(data, group) ? 0U : 1U;
  }
}

bool GroupIndex::is_zero(std::span<const std::byte> data, std::uint64_t group) const {
  const std::byte* scale =
      data.data() + static_cast<std::size_t>(group) * layout_.bytes + layout_.scale_offset;
  return scale[0] == std::byte{0} && scale[1] == std::byte{0};
}

std::uint64_t GroupIndex::start_of(std::uint64_t first) const {
  const auto after = std::upper_bound(kept_before_.begin(), kept_before_.end(), first);
  return static_cast<std::uint64_t>(after - kept_before_.begin() - 1) * kStride;
}

void read_codes(const TensorShape& shape, TensorForm form, const GroupIndex& index,
                std::span<const std::byte> data, std::uint64_t first, std::uint64_t count,
                std::span<std::byte> logical) {
  const GroupLayout layout = group_layout(shape.type);
  const TritLayout* trits = kernels::find_trit_layout(shape.type);
  const std::size_t plain = plain_code_bytes(shape.type, layout);
  index.visit(data, first, count, [&](std::uint64_t i, std::uint64_t group) {
    const std::byte* from = data.data() + group * layout.bytes;
    if (trits == nullptr) {
      std::memcpy(logical.data() + i * plain, from + layout.codes_offset, plain);
      return;
    }
    Codes codes;
    decode_trits(*trits, from, codes.data());
    std::byte* to = logical.data() + i * layout.weights;
    const unsigned bias = form == TensorForm::kTrits ? 1 : 0;
    for (std::size_t j = 0; j < layout.weights; ++j)
      to[j] = static_cast<std::byte>(codes[j] - bias);
  });
}

Status write_codes(const TensorShape& shape, TensorForm form, const GroupIndex& index,
                   std::span<const std::byte> logical, std::uint64_t first, std::uint64_t count,
                   std::span<std::byte> data) {
  const GroupLayout layout = group_layout(shape.type);
  const TritLayout* trits = kernels::find_trit_layout(shape.type);
  const std::size_t plain = plain_code_bytes(shape.type, layout);
  std::uint8_t largest = 0;
  index.visit(data, first, count, [&](std::uint64_t i, std::uint64_t group) {
    std::byte* to = data.data() + group * layout.bytes;
    if (trits == nullptr) {
      std::memcpy(to + layout.codes_offset, logical.data() + i * plain, plain);
      return;
    }
    Codes codes;
    const std::byte* from = logical.data() + i * layout.weights;
    const unsigned bias = form == TensorForm::kTrits ? 1 : 0;
    for (std::size_t j = 0; j < layout.weights; ++j) {
      const auto code = static_cast<std::uint8_t>(std::to_integer<unsigned>(from[j]) + bias);
      largest = std::max(largest, code);
      codes[j] = code & 3U;
    }
    encode_trits(*trits, codes.data(), to);
  });
  if (largest > 3)
    return make_error(ErrorCode::kBadInput, "a code of %u, expected at most 3", largest);
  return {};
}

void write_zero_groups(const TensorShape& shape, const TensorSplit& split,
                       std::span<std::byte> data) {
  if (!split.skips_zero_groups) return;
  const GroupLayout layout = group_layout(shape.type);
  const TritLayout* trits = kernels::find_trit_layout(shape.type);
  Codes zeros;
  zeros.fill(kZeroTritCode);
  for (std::size_t at = 0; at < data.size(); at += layout.bytes) {
    std::byte* group = data.data() + at;
    if (group[layout.scale_offset] != std::byte{0} ||
        group[layout.scale_offset + 1] != std::byte{0})
      continue;
    if (trits != nullptr)
      encode_trits(*trits, zeros.data(), group);
    else
      std::memset(group + layout.codes_offset, 0, plain_code_bytes(shape.type, layout));
  }
}

void read_scales(const TensorShape& shape, std::span<const std::byte> data, std::uint64_t first,
                 std::span<std::byte> logical) {
  const GroupLayout layout = group_layout(shape.type);
  const std::byte* from = data.data() + first * layout.bytes + layout.scale_offset;
  for (std::size_t at = 0; at < logical.size(); at += 2, from += layout.bytes)
    std::memcpy(logical.data() + at, from, 2);
}

void write_scales(const TensorShape& shape, std::span<const std::byte> logical, std::uint64_t first,
                  std::span<std::byte> data) {
  const GroupLayout layout = group_layout(shape.type);
  std::byte* to = data.data() + first * layout.bytes + layout.scale_offset;
  for (std::size_t at = 0; at < logical.size(); at += 2, to += layout.bytes)
    std::memcpy(to, logical.data() + at, 2);
}

}  // namespace bankai::packer
