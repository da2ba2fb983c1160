// The groups of a tensor: blocks of weights that share a scale, one behind the other in the file.
// Moves the codes and scales of runs of groups between the file's layout and logical contents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "packer/tensor_parts.h"

namespace bankai::packer {

struct GroupLayout {
  std::size_t weights = 0;  // per group
  std::size_t bytes = 0;    // per group
  bool has_scale = false;   // half precision, at scale_offset
  std::size_t scale_offset = 0;
  std::size_t codes_offset = 0;
  std::size_t trailer_bytes = 0;  // behind the last group
};

// For floats the "group" is a number without scale or codes.
GroupLayout group_layout(kernels::TensorType type);

// What the bytes of a tensor allow.
struct GroupCensus {
  bool comes_back = true;       // every group is written again as it was
  bool has_code_3 = false;      // of two-bit types
  bool zeros_are_plain = true;  // groups of scale 0 have codes for the weight 0 only
  std::uint64_t zero_groups = 0;
};
// One pass. REQUIRES: shape.bytes of data; a type with codes.
GroupCensus take_census(const TensorShape& shape, std::span<const std::byte> data, int threads);

// The groups that the part of codes has, in order: all, or those of another scale than 0.
class GroupIndex {
 public:
  // Looks at the scales if groups are skipped.
  GroupIndex(const TensorShape& shape, const TensorSplit& split, std::span<const std::byte> data);

  std::uint64_t kept() const { return kept_; }
  // Calls visit(i, group) for the kept groups [first, first + count), i from 0. `data`: the
  // tensor's, whose scales are as they were.
  template <typename Visit>
  void visit(std::span<const std::byte> data, std::uint64_t first, std::uint64_t count,
             const Visit& visit) const {
    if (kept_before_.empty()) {
      for (std::uint64_t i = 0; i < count; ++i) visit(i, first + i);
      return;
    }
    std::uint64_t group = start_of(first);
    std::uint64_t rank = kept_before_[static_cast<std::size_t>(group / kStride)];
    for (std::uint64_t i = 0; i < count; ++group) {
      if (is_zero(data, group)) continue;
      if (rank++ >= first) visit(i++, group);
    }
  }

 private:
  static constexpr std::uint64_t kStride = 1024;
  bool is_zero(std::span<const std::byte> data, std::uint64_t group) const;
  // The start of the stride in which the kept group `first` is.
  std::uint64_t start_of(std::uint64_t first) const;

  GroupLayout layout_;
  std::uint64_t kept_ = 0;
  std::vector<std::uint64_t> kept_before_;  // each stride; empty if all are kept
};

// The logical bytes of the codes of kept groups [first, first + count), out of the tensor's bytes.
void read_codes(const TensorShape& shape, TensorForm form, const GroupIndex& index,
                std::span<const std::byte> data, std::uint64_t first, std::uint64_t count,
                std::span<std::byte> logical);
// The reverse, into the tensor's bytes. kBadInput for a code that the type does not have. Different
// groups may be written by different threads.
Status write_codes(const TensorShape& shape, TensorForm form, const GroupIndex& index,
                   std::span<const std::byte> logical, std::uint64_t first, std::uint64_t count,
                   std::span<std::byte> data);
// The codes of weights of 0 in all groups that the index leaves out.
void write_zero_groups(const TensorShape& shape, const TensorSplit& split,
                       std::span<std::byte> data);

// Scales [first, first + count), two bytes each.
void read_scales(const TensorShape& shape, std::span<const std::byte> data, std::uint64_t first,
                 std::span<std::byte> logical);
void write_scales(const TensorShape& shape, std::span<const std::byte> logical, std::uint64_t first,
                  std::span<std::byte> data);

}  // namespace bankai::packer
