#include "packer/tensor_coding.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/counter_rng.h"
#include "core/format.h"
#include "kernels/ternary_blocks.h"
#include "packer/entropy.h"
#include "packer/float_groups.h"
#include "packer/integer_array.h"
#include "packer/learned_estimate.h"
#include "packer/payload.h"
#include "packer/tensor_groups.h"

namespace bankai::packer {
namespace {

constexpr std::uint64_t kSmallTensorBytes = std::uint64_t{1} << 16U;

// The logical bytes of a part, read from the tensor's bytes.
class PartReader {
 public:
  PartReader(const TensorShape& shape, const TensorSplit& split, const GroupIndex& index,
             std::span<const std::byte> data)
      : shape_(shape),
        layout_(group_layout(shape.type)),
        split_(split),
        index_(index),
        data_(data) {}

  ContentSource source(const TensorPart& part) const {
    if (split_.form == TensorForm::kWordBits) return {part.content, data_};
    if (split_.form == TensorForm::kIntegers) return integer_source(part);
    switch (part.kind) {
      case PartKind::kBytes:
      case PartKind::kNumbers: return {part.content, data_};
      case PartKind::kTrailer: return {part.content, data_.last(layout_.trailer_bytes)};
      default: break;
    }
    if (split_.form >= TensorForm::kSignGroups) return float_source(part);
    switch (part.kind) {
      case PartKind::kScales:
        return {part.content, [this](const Block& block, std::span<std::byte> logical) {
                  read_scales(shape_, data_, block.first_element, logical);
                }};
      default:
        return {part.content, [this](const Block& block, std::span<std::byte> logical) {
                  read_codes(shape_, split_.form, index_, data_,
                             block.first_element / layout_.weights,
                             block.elements() / layout_.weights, logical);
                }};
    }
  }

 private:
  ContentSource integer_source(const TensorPart& part) const {
    const std::size_t width = part.content.element_bytes;
    return {part.content, [this, width](const Block& block, std::span<std::byte> logical) {
              const auto first = static_cast<std::size_t>(block.first_element) * width;
              fold_signs(data_.subspan(first, logical.size()), width, logical);
            }};
  }

  ContentSource float_source(const TensorPart& part) const {
    const auto read = part.kind == PartKind::kScales ? read_magnitudes : read_signs;
    return {part.content, [this, read](const Block& block, std::span<std::byte> logical) {
              read(shape_, split_, data_, {block.first_element, block.elements()}, logical);
            }};
  }

  const TensorShape& shape_;
  GroupLayout layout_;
  TensorSplit split_;
  const GroupIndex& index_;
  std::span<const std::byte> data_;
};

using Counts = std::vector<std::uint64_t>;  // of 256 values, position after position

void count_symbols(const Content& content, const Block& block, std::span<const std::byte> logical,
                   Counts& counts) {
  if (content.kind == ContentKind::kBits) {
    std::uint64_t ones = 0;
    for (const std::byte byte : logical)
      ones += static_cast<unsigned>(std::popcount(std::to_integer<std::uint8_t>(byte)));
    counts[1] += ones;
    counts[0] += block.elements() - ones;
    return;
  }
  const std::size_t width = content.element_bytes;
  for (std::size_t at = 0; at < width; ++at)
    for (std::size_t i = at; i < logical.size(); i += width)
      ++counts[at * 256 + std::to_integer<std::size_t>(logical[i])];
}

std::uint64_t entropy_bytes_of(const ContentSource& source, int threads) {
  const Content& content = source.content();
  Counts all(std::size_t{256} * content.element_bytes);
  std::mutex mutex;
  const Status status =
      for_each_block(num_blocks(content), threads, [&](std::uint64_t index) -> Status {
        std::vector<std::byte> buffer;
        Counts counts(all.size());
        const Block block = block_at(content, index);
        count_symbols(content, block, source.read(block, buffer), counts);
        const std::lock_guard lock(mutex);
        for (std::size_t i = 0; i < all.size(); ++i) all[i] += counts[i];
        return {};
      });
  BANKAI_CHECK(status.ok(), "counting cannot fail");
  double bits = 0.0;
  for (std::size_t at = 0; at < all.size(); at += 256)
    bits += entropy_bits(std::span(all).subspan(at, 256));
  return static_cast<std::uint64_t>(std::ceil(bits / 8));
}

Result<CodedTensor> code_split(const TensorShape& shape, const TensorSplit& split,
                               std::span<const std::byte> data, const ChoiceOptions& options) {
  const GroupIndex index(shape, split, data);
  BANKAI_ASSIGN_OR_RETURN(const std::vector<TensorPart> parts,
                          parts_of(shape, split, index.kept()));
  const PartReader reader(shape, split, index, data);
  CodedTensor coded{split, {}};
  for (const TensorPart& part : parts) {
    const ContentSource source = reader.source(part);
    BANKAI_ASSIGN_OR_RETURN(CodecChoice choice, choose_codec(source, options));
    coded.parts.push_back({part, choice.codec, choice.bytes,
                           entropy_bytes_of(source, options.threads), std::move(choice.payload)});
  }
  return coded;
}

TensorForm form_of(const TensorShape& shape, const GroupCensus& census) {
  if (shape.array != ArrayType::kNone)
    return shape.array == ArrayType::kBits ? TensorForm::kWordBits : TensorForm::kIntegers;
  switch (shape.type) {
    case kernels::TensorType::kF32:
    case kernels::TensorType::kF16:
    case kernels::TensorType::kBF16: return TensorForm::kNumbers;
    case kernels::TensorType::kQ1_0: return TensorForm::kBits;
    case kernels::TensorType::kQ8_0: return TensorForm::kCodes;
    default:
      if (!census.comes_back) return TensorForm::kBytes;
      return census.has_code_3 ? TensorForm::kCodes : TensorForm::kTrits;
  }
}

// Groups of one-bit weights with noise in the place of those of scale 0, which are alike and would
// pass for something to learn: does the matrix as a whole have any?
Result<bool> is_learnable_with_gaps(const TensorShape& shape, std::span<const std::byte> data) {
  const TensorSplit split{.form = TensorForm::kBits};
  const GroupLayout layout = group_layout(shape.type);
  const GroupIndex index(shape, split, data);
  BANKAI_ASSIGN_OR_RETURN(const std::vector<TensorPart> parts,
                          parts_of(shape, split, index.kept()));
  const CounterRng noise(0);
  const ContentSource source(
      parts.back().content, [&](const Block& block, std::span<std::byte> logical) {
        const std::uint64_t first = block.first_element / layout.weights;
        const std::uint64_t count = block.elements() / layout.weights;
        read_codes(shape, split.form, index, data, first, count, logical);
        for (std::uint64_t i = 0; i < count; ++i) {
          std::uint16_t scale = 0;
          read_scales(shape, data, first + i, std::as_writable_bytes(std::span(&scale, 1)));
          const std::size_t bytes = layout.weights / 8;
          for (std::size_t at = 0; scale == 0 && at < bytes; ++at)
            logical[i * bytes + at] = static_cast<std::byte>(noise.bits((first + i) * bytes + at));
        }
      });
  return !bytes_if_nothing_is_learned(source).has_value();
}

std::string where(const TensorPart& part) { return "part " + std::string(part_name(part.kind)); }

Status decode_part(const TensorShape& shape, const TensorSplit& split, const GroupIndex& index,
                   const TensorPart& part, const StoredPart& stored, std::span<std::byte> data,
                   int threads) {
  BANKAI_ASSIGN_OR_RETURN(const PayloadReader reader,
                          PayloadReader::open(*stored.codec, part.content, stored.payload));
  if (shape.array != ArrayType::kNone) {
    BANKAI_RETURN_IF_ERROR(reader.decode(data, threads));
    if (split.form == TensorForm::kIntegers) unfold_signs(data, part.content.element_bytes, data);
    return {};
  }
  const GroupLayout layout = group_layout(shape.type);
  switch (part.kind) {
    case PartKind::kBytes:
    case PartKind::kNumbers: return reader.decode(data, threads);
    case PartKind::kTrailer: return reader.decode(data.last(layout.trailer_bytes), threads);
    default: break;
  }
  return for_each_block(reader.num_blocks(), threads, [&](std::uint64_t number) -> Status {
    const Block block = reader.block(number);
    std::vector<std::byte> logical(
        static_cast<std::size_t>(part.content.bytes_of(block.elements())));
    BANKAI_RETURN_IF_ERROR(reader.decode_block(number, logical));
    if (split.form >= TensorForm::kSignGroups) {
      const auto write = part.kind == PartKind::kScales ? write_magnitudes : write_signs;
      write(shape, split, logical, {block.first_element, block.elements()}, data);
      return {};
    }
    if (part.kind == PartKind::kScales) {
      write_scales(shape, logical, block.first_element, data);
      return {};
    }
    return write_codes(shape, split.form, index, logical, block.first_element / layout.weights,
                       block.elements() / layout.weights, data);
  });
}

}  // namespace

Result<CodedTensor> code_tensor(const TensorShape& shape, std::span<const std::byte> data,
                                const ChoiceOptions& options) {
  BANKAI_CHECK(data.size() == shape.bytes, "a tensor of another size");
  const bool has_groups = kernels::tensor_type_info(shape.type).block_weights > 1;
  const GroupCensus census = has_groups ? take_census(shape, data, options.threads) : GroupCensus();
  const TensorForm form = form_of(shape, census);
  std::vector<TensorSplit> splits = {{.form = form}};
  if (form == TensorForm::kNumbers)
    if (const auto found = find_float_groups(shape, data, options.threads)) {
      if (shape.bytes > kSmallTensorBytes) splits.clear();  // no other form comes near it
      splits.push_back(*found);
    }
  if (has_groups && form >= TensorForm::kBits && census.zero_groups > 0 && census.zeros_are_plain) {
    if (form == TensorForm::kBits && shape.bytes > kSmallTensorBytes) {
      BANKAI_ASSIGN_OR_RETURN(const bool is_learnable, is_learnable_with_gaps(shape, data));
      if (!is_learnable) splits.clear();  // the rows' places in the matrix tell nothing
    }
    splits.push_back({.form = form, .skips_zero_groups = true});
  }
  if (form == TensorForm::kCodes && kernels::is_ternary(shape.type))
    splits.push_back({.form = TensorForm::kBytes});  // where codes of two bits are all as likely
  BANKAI_ASSIGN_OR_RETURN(CodedTensor best, code_split(shape, splits[0], data, options));
  for (std::size_t i = 1; i < splits.size(); ++i) {
    BANKAI_ASSIGN_OR_RETURN(CodedTensor other, code_split(shape, splits[i], data, options));
    if (other.bytes() < best.bytes()) best = std::move(other);
  }
  return best;
}

Result<std::vector<CodedPart>> part_entropies(const TensorShape& shape, const TensorSplit& split,
                                              std::span<const std::byte> data, int threads) {
  const GroupIndex index(shape, split, data);
  BANKAI_ASSIGN_OR_RETURN(const std::vector<TensorPart> parts,
                          parts_of(shape, split, index.kept()));
  const PartReader reader(shape, split, index, data);
  std::vector<CodedPart> result;
  for (const TensorPart& part : parts)
    result.push_back({.part = part,
                      .entropy_bytes = entropy_bytes_of(reader.source(part), threads),
                      .payload = {}});
  return result;
}

Result<CodedTensor> packed_tensor_size(kernels::TensorType type,
                                       std::span<const std::uint64_t> dims,
                                       std::span<const std::byte> data, int threads) {
  BANKAI_ASSIGN_OR_RETURN(const TensorShape shape, tensor_shape(type, dims));
  return code_tensor(shape, data, {.threads = threads});
}

Status decode_tensor(const TensorShape& shape, const TensorSplit& split,
                     std::span<const StoredPart> stored, std::span<std::byte> data, int threads) {
  BANKAI_CHECK(data.size() == shape.bytes, "a tensor of another size");
  std::optional<GroupIndex> index;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    // The scales, which say which groups there are, come first.
    if (!index && (i > 0 || !split.skips_zero_groups)) index.emplace(shape, split, data);
    BANKAI_ASSIGN_OR_RETURN(const std::vector<TensorPart> parts,
                            parts_of(shape, split, index ? index->kept() : 0));
    BANKAI_CHECK(parts.size() == stored.size(), "another number of parts");
    const GroupIndex none(shape, {}, {});
    Status status =
        decode_part(shape, split, index ? *index : none, parts[i], stored[i], data, threads);
    if (!status.ok()) return with_context(std::move(status).error(), where(parts[i]));
  }
  write_zero_groups(shape, split, data);
  return {};
}

}  // namespace bankai::packer
