#include "packer/tensor_parts.h"

#include <array>
#include <string>

#include "core/format.h"
#include "kernels/ternary_blocks.h"
#include "model/gguf_tensor.h"
#include "packer/tensor_groups.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;

bool has_array_form(ArrayType array, const TensorSplit& split) {
  const TensorForm form = array == ArrayType::kBits ? TensorForm::kWordBits : TensorForm::kIntegers;
  return split == TensorSplit{.form = form};
}

bool has_form(TensorType type, const TensorSplit& split) {
  const bool is_float =
      type == TensorType::kF32 || type == TensorType::kF16 || type == TensorType::kBF16;
  const GroupLayout layout = group_layout(type);
  const bool has_float_groups =
      split.form == TensorForm::kSignGroups || split.form == TensorForm::kTritGroups;
  if (split.has_short_groups && !has_float_groups) return false;
  if (split.skips_zero_groups && !(split.form >= TensorForm::kBits && layout.has_scale))
    return false;
  switch (split.form) {
    case TensorForm::kBytes: return true;
    case TensorForm::kNumbers:
    case TensorForm::kSignGroups:
    case TensorForm::kTritGroups: return is_float;
    case TensorForm::kBits: return type == TensorType::kQ1_0;
    case TensorForm::kTrits: return kernels::is_ternary(type);
    case TensorForm::kCodes:
      return type == TensorType::kQ8_0 ||
             (kernels::is_ternary(type) && type != TensorType::kTQ1_0);  // which has three codes
    case TensorForm::kWordBits:
    case TensorForm::kIntegers: return false;
  }
  return false;
}

Result<TensorPart> make_part(PartKind kind, ContentKind content_kind, std::uint64_t rows,
                             std::uint64_t cols, std::uint32_t element_bytes,
                             std::uint64_t raw_bytes) {
  BANKAI_ASSIGN_OR_RETURN(const Content content,
                          make_content(content_kind, rows, cols, element_bytes));
  return TensorPart{kind, content, raw_bytes};
}

std::uint32_t integer_bytes(ArrayType array) { return array == ArrayType::kI64 ? 8 : 4; }

Result<std::vector<TensorPart>> array_part(const TensorShape& shape) {
  BANKAI_ASSIGN_OR_RETURN(
      const TensorPart part,
      shape.array == ArrayType::kBits
          ? make_part(PartKind::kBits, ContentKind::kBits, shape.rows, shape.cols, 1, shape.bytes)
          : make_part(PartKind::kNumbers, ContentKind::kNumbers, shape.rows, shape.cols,
                      integer_bytes(shape.array), shape.bytes));
  return std::vector<TensorPart>{part};
}

Result<std::vector<TensorPart>> single_part(const TensorShape& shape, TensorForm form) {
  const auto width = static_cast<std::uint32_t>(kernels::tensor_type_info(shape.type).block_bytes);
  BANKAI_ASSIGN_OR_RETURN(
      const TensorPart part,
      form == TensorForm::kNumbers
          ? make_part(PartKind::kNumbers, ContentKind::kNumbers, shape.rows, shape.cols, width,
                      shape.bytes)
          : make_part(PartKind::kBytes, ContentKind::kBlob, 1, shape.bytes, 1, shape.bytes));
  return std::vector<TensorPart>{part};
}

Result<std::vector<TensorPart>> float_group_parts(const TensorShape& shape,
                                                  const TensorSplit& split) {
  const std::size_t group_cols = float_group_cols(split);
  if (shape.cols % group_cols != 0)
    return make_error(ErrorCode::kBadInput, "groups of %zu in rows of %llu columns", group_cols,
                      static_cast<unsigned long long>(shape.cols));
  const auto width = static_cast<std::uint32_t>(kernels::tensor_type_info(shape.type).block_bytes);
  const std::uint64_t scale_bytes = shape.rows * (shape.cols / group_cols) * width;
  const bool is_bits = split.form == TensorForm::kSignGroups;
  BANKAI_ASSIGN_OR_RETURN(
      const TensorPart scales,
      make_part(PartKind::kScales, width == 2 ? ContentKind::kScales : ContentKind::kNumbers,
                shape.rows, shape.cols / group_cols, width, scale_bytes));
  BANKAI_ASSIGN_OR_RETURN(const TensorPart signs,
                          make_part(is_bits ? PartKind::kBits : PartKind::kTrits,
                                    is_bits ? ContentKind::kBits : ContentKind::kTrits, shape.rows,
                                    shape.cols, 1, shape.bytes - scale_bytes));
  return std::vector<TensorPart>{scales, signs};
}

}  // namespace

std::string_view part_name(PartKind kind) {
  constexpr std::array<std::string_view, 7> kNames = {"bytes", "numbers", "scales", "bits",
                                                      "trits", "codes",   "trailer"};
  return kNames[static_cast<std::size_t>(kind)];
}

Result<TensorShape> tensor_shape(TensorType type, std::span<const std::uint64_t> dims) {
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t bytes, model::tensor_bytes(type, dims));
  std::uint64_t rows = 1;  // cannot wrap: tensor_bytes has checked the whole product
  for (const std::uint64_t dim : dims.subspan(1)) rows *= dim;
  return TensorShape{type, rows, dims[0], bytes, ArrayType::kNone};
}

Result<TensorShape> array_shape(ArrayType array, std::span<const std::uint64_t> dims) {
  if (array == ArrayType::kBits && dims[0] % 64 != 0)
    return make_error(ErrorCode::kBadInput, "rows of %llu bits, expected whole words of 64",
                      static_cast<unsigned long long>(dims[0]));
  std::uint64_t rows = 1;
  bool is_too_large = false;
  for (const std::uint64_t dim : dims.subspan(1))
    is_too_large = __builtin_mul_overflow(rows, dim, &rows) || is_too_large;
  const std::uint64_t row_bytes = array == ArrayType::kBits ? dims[0] / 8 : dims[0];
  const std::uint64_t width = array == ArrayType::kBits ? 1 : integer_bytes(array);
  std::uint64_t bytes = 0;
  is_too_large = __builtin_mul_overflow(rows, row_bytes, &bytes) ||
                 __builtin_mul_overflow(bytes, width, &bytes) || is_too_large;
  if (is_too_large || bytes > model::kGgufMaxBytes)
    return make_error(ErrorCode::kBadInput, "an array of more than 2^62 bytes");
  return TensorShape{TensorType::kF32, rows, dims[0], bytes, array};
}

Result<std::vector<TensorPart>> parts_of(const TensorShape& shape, const TensorSplit& split,
                                         std::uint64_t kept_groups) {
  if (shape.array != ArrayType::kNone) {
    if (has_array_form(shape.array, split)) return array_part(shape);
    return make_error(ErrorCode::kBadInput, "an array of type %u in form %u",
                      static_cast<unsigned>(shape.array), static_cast<unsigned>(split.form));
  }
  if (!has_form(shape.type, split))
    return make_error(ErrorCode::kBadInput, "a tensor of type %s in form %u%s",
                      std::string(kernels::tensor_type_info(shape.type).name).c_str(),
                      static_cast<unsigned>(split.form),
                      split.skips_zero_groups ? " without its zero groups" : "");
  if (split.form == TensorForm::kBytes || split.form == TensorForm::kNumbers)
    return single_part(shape, split.form);
  if (split.form == TensorForm::kSignGroups || split.form == TensorForm::kTritGroups)
    return float_group_parts(shape, split);

  const GroupLayout layout = group_layout(shape.type);
  const std::uint64_t groups_per_row = shape.cols / layout.weights;
  std::vector<TensorPart> parts;
  if (layout.has_scale) {
    BANKAI_ASSIGN_OR_RETURN(const TensorPart scales,
                            make_part(PartKind::kScales, ContentKind::kScales, shape.rows,
                                      groups_per_row, 2, 2 * shape.rows * groups_per_row));
    parts.push_back(scales);
  }
  PartKind kind = PartKind::kCodes;
  ContentKind content_kind = ContentKind::kNumbers;
  if (split.form == TensorForm::kBits) kind = PartKind::kBits, content_kind = ContentKind::kBits;
  if (split.form == TensorForm::kTrits) kind = PartKind::kTrits, content_kind = ContentKind::kTrits;
  const std::uint64_t scale_bytes = layout.has_scale ? 2 : 0;
  const std::uint64_t code_bytes = shape.rows * groups_per_row * (layout.bytes - scale_bytes);
  BANKAI_ASSIGN_OR_RETURN(
      const TensorPart codes,
      split.skips_zero_groups
          ? make_part(kind, content_kind, kept_groups, layout.weights, 1, code_bytes)
          : make_part(kind, content_kind, shape.rows, shape.cols, 1, code_bytes));
  parts.push_back(codes);
  if (layout.trailer_bytes > 0) {
    BANKAI_ASSIGN_OR_RETURN(const TensorPart trailer,
                            make_part(PartKind::kTrailer, ContentKind::kBlob, 1,
                                      layout.trailer_bytes, 1, layout.trailer_bytes));
    parts.push_back(trailer);
  }
  return parts;
}

}  // namespace bankai::packer
