#include "packer/golf_checkpoint.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/format.h"

namespace bankai::packer {
namespace {

constexpr std::string_view kTwoBitFormat = "bitnet_ternary_2bit_v1";
// The field's limit is 16 MB; what it expands to stays far below this.
constexpr std::size_t kMaxContent = std::size_t{1} << 28U;
constexpr std::size_t kMaxSide = std::size_t{1} << 24U;
// Entries may share a storage, as tied tables do; memory stays bounded by so many times the
// content.
constexpr std::uint64_t kMostUses = 2;

class DictionaryReader {
 public:
  DictionaryReader(const TorchArchive& archive, std::size_t content_bytes)
      : archive_(archive), tree_(archive.tree()), bytes_left_(kMostUses * content_bytes) {}

  Status read(GolfCheckpoint& checkpoint) {
    const PickleValue& root = tree_.root();
    if (root.kind != PickleKind::kDict)
      return make_error(ErrorCode::kBadInput, "a %s; expected a dictionary",
                        pickle_kind_name(root.kind));
    const PickleValue* format = tree_.find(root, "__format__");
    if (format != nullptr) {
      if (format->kind != PickleKind::kText || format->text != kTwoBitFormat)
        return make_error(ErrorCode::kUnsupported, "format %s; expected %s",
                          quoted(format->text).c_str(), std::string(kTwoBitFormat).c_str());
      checkpoint.family = GolfFamily::kMatrixScale;
      return read_matrix_scale_family(root, checkpoint);
    }
    checkpoint.family = GolfFamily::kGroupScales;
    return visit(root, [&](const std::string& name, const PickleValue& entry) {
      return read_group_scale_entry(name, entry, checkpoint);
    });
  }

 private:
  // Calls read(name, value) for each entry of a dictionary with text keys.
  template <typename Reader>
  Status visit(const PickleValue& dict, const Reader& read) const {
    if (dict.kind != PickleKind::kDict)
      return make_error(ErrorCode::kBadInput, "a %s; expected a dictionary",
                        pickle_kind_name(dict.kind));
    for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const PickleValue& key = tree_.at(dict.items[i]);
      if (key.kind != PickleKind::kText)
        return make_error(ErrorCode::kBadInput, "a key of kind %s; expected text",
                          pickle_kind_name(key.kind));
      Status done = read(std::string(key.text), tree_.at(dict.items[i + 1]));
      if (!done.ok()) return with_context(std::move(done).error(), "entry " + quoted(key.text));
    }
    return {};
  }

  Result<std::size_t> count(const PickleValue& entry, std::string_view key) const {
    const PickleValue* value = tree_.find(entry, key);
    if (value == nullptr || value->kind != PickleKind::kInteger || value->integer < 0)
      return make_error(ErrorCode::kBadInput, "no count %s", quoted(key).c_str());
    return static_cast<std::size_t>(value->integer);
  }

  // The shape of a matrix: a tuple or a list of two counts.
  Status read_shape(const PickleValue& entry, GolfCodedMatrix& matrix) const {
    const PickleValue* shape = tree_.find(entry, "shape");
    if (shape == nullptr ||
        (shape->kind != PickleKind::kTuple && shape->kind != PickleKind::kList) ||
        shape->items.size() != 2)
      return Error{ErrorCode::kBadInput, "no shape of two sizes"};
    for (std::size_t i = 0; i < 2; ++i) {
      const PickleValue& side = tree_.at(shape->items[i]);
      if (side.kind != PickleKind::kInteger || side.integer < 1 ||
          side.integer > static_cast<std::int64_t>(kMaxSide))
        return make_error(ErrorCode::kBadInput, "side %zu of the shape is not 1 to %zu", i,
                          kMaxSide);
      (i == 0 ? matrix.rows : matrix.cols) = static_cast<std::size_t>(side.integer);
    }
    matrix.padded_cols = matrix.cols;
    return {};
  }

  // Every use of bytes of the content takes memory.
  Status use(std::size_t bytes) {
    if (bytes > bytes_left_)
      return make_error(ErrorCode::kBadInput,
                        "entries share bytes: together they need more than %llu times the content",
                        static_cast<unsigned long long>(kMostUses));
    bytes_left_ -= bytes;
    return {};
  }

  Status read_codes(const PickleValue& entry, GolfCodedMatrix& matrix) {
    const PickleValue* packed = tree_.find(entry, "packed");
    if (packed == nullptr || packed->kind != PickleKind::kBytes)
      return Error{ErrorCode::kBadInput, "no bytes 'packed'"};
    BANKAI_RETURN_IF_ERROR(use(packed->bytes.size()));
    matrix.packed_bytes = packed->bytes.size();
    BANKAI_ASSIGN_OR_RETURN(matrix.weights, unpack_golf_codes(matrix.codes, packed->bytes,
                                                              matrix.rows * matrix.padded_cols));
    return {};
  }

  Status check_count(const PickleValue& entry, std::string_view key, std::size_t expected) const {
    BANKAI_ASSIGN_OR_RETURN(const std::size_t found, count(entry, key));
    if (found != expected)
      return make_error(ErrorCode::kBadInput, "%s is %zu; expected %zu", quoted(key).c_str(), found,
                        expected);
    return {};
  }

  Status add_numbers(const std::string& name, const PickleValue& value,
                     GolfCheckpoint& checkpoint) {
    BANKAI_ASSIGN_OR_RETURN(TorchTensor tensor, archive_.tensor(value));
    BANKAI_RETURN_IF_ERROR(use(tensor.bytes.size()));
    return checkpoint.add({name, std::move(tensor)});
  }

  Status read_matrix_scale_family(const PickleValue& root, GolfCheckpoint& checkpoint) {
    const PickleValue* ternary = tree_.find(root, "ternary");
    const PickleValue* other = tree_.find(root, "other");
    if (ternary == nullptr || other == nullptr)
      return Error{ErrorCode::kBadInput, "expected dictionaries 'ternary' and 'other'"};
    Status matrices = visit(*ternary, [&](const std::string& name, const PickleValue& entry) {
      return read_two_bit_entry(name, entry, checkpoint);
    });
    if (!matrices.ok()) return matrices;
    return visit(*other, [&](const std::string& name, const PickleValue& value) {
      return add_numbers(name, value, checkpoint);
    });
  }

  Status read_two_bit_entry(const std::string& name, const PickleValue& entry,
                            GolfCheckpoint& checkpoint) {
    GolfCodedMatrix matrix;
    matrix.name = name;
    BANKAI_RETURN_IF_ERROR(read_shape(entry, matrix));
    BANKAI_RETURN_IF_ERROR(check_count(entry, "n", matrix.rows * matrix.cols));
    BANKAI_RETURN_IF_ERROR(read_codes(entry, matrix));
    const PickleValue* alpha = tree_.find(entry, "alpha");
    if (alpha == nullptr || alpha->kind != PickleKind::kFloat)
      return Error{ErrorCode::kBadInput, "no number 'alpha'"};
    matrix.alpha = alpha->number;
    return checkpoint.add(std::move(matrix));
  }

  Status read_group_scale_entry(const std::string& name, const PickleValue& entry,
                                GolfCheckpoint& checkpoint) {
    const PickleValue* type = tree_.find(entry, "type");
    if (type == nullptr || type->kind != PickleKind::kText)
      return Error{ErrorCode::kBadInput, "no text 'type'"};
    constexpr std::string_view kNumberTypes[] = {"fp8", "fp16", "bf16", "fp32"};
    if (std::find(std::begin(kNumberTypes), std::end(kNumberTypes), type->text) !=
        std::end(kNumberTypes)) {
      const PickleValue* data = tree_.find(entry, "data");
      if (data == nullptr) return Error{ErrorCode::kBadInput, "no tensor 'data'"};
      return add_numbers(name, *data, checkpoint);
    }
    GolfCodedMatrix matrix;
    matrix.name = name;
    if (type->text == "ternary") {
      matrix.codes = GolfCodes::kBase3;
    } else if (type->text == "ternary_bitmask") {
      matrix.codes = GolfCodes::kBitmask;
    } else if (type->text == "binary") {
      matrix.codes = GolfCodes::kSigns;
    } else {
      return make_error(ErrorCode::kUnsupported,
                        "type %s; expected ternary, ternary_bitmask, binary, fp8, fp16, bf16 or "
                        "fp32",
                        quoted(type->text).c_str());
    }
    BANKAI_RETURN_IF_ERROR(read_shape(entry, matrix));
    BANKAI_RETURN_IF_ERROR(read_groups(entry, matrix));
    BANKAI_RETURN_IF_ERROR(read_codes(entry, matrix));
    return checkpoint.add(std::move(matrix));
  }

  Status read_groups(const PickleValue& entry, GolfCodedMatrix& matrix) {
    BANKAI_ASSIGN_OR_RETURN(matrix.padded_cols, count(entry, "padded_cols"));
    BANKAI_ASSIGN_OR_RETURN(matrix.group, count(entry, "group_size"));
    if (matrix.group == 0 || matrix.group > kMaxSide || matrix.padded_cols < matrix.cols ||
        matrix.padded_cols - matrix.cols >= matrix.group || matrix.padded_cols % matrix.group != 0)
      return make_error(ErrorCode::kBadInput, "%zu columns padded to %zu do not fill groups of %zu",
                        matrix.cols, matrix.padded_cols, matrix.group);
    const std::size_t weights = matrix.rows * matrix.padded_cols;
    for (const std::string_view key : {"n_trits", "n_bits", "n"})
      if (tree_.find(entry, key) != nullptr)
        BANKAI_RETURN_IF_ERROR(check_count(entry, key, weights));
    const PickleValue* scale = tree_.find(entry, "scale");
    if (scale == nullptr) return Error{ErrorCode::kBadInput, "no tensor 'scale'"};
    BANKAI_ASSIGN_OR_RETURN(matrix.scales, archive_.tensor(*scale));
    BANKAI_RETURN_IF_ERROR(use(matrix.scales.bytes.size()));
    const TorchType type = matrix.scales.type;
    if (type != TorchType::kF16 && type != TorchType::kBf16 && type != TorchType::kF32)
      return make_error(ErrorCode::kUnsupported, "scales of type %s", torch_type_name(type));
    if (matrix.scales.elements() != weights / matrix.group)
      return make_error(ErrorCode::kBadInput, "%llu scales for %zu groups",
                        static_cast<unsigned long long>(matrix.scales.elements()),
                        weights / matrix.group);
    return {};
  }

  const TorchArchive& archive_;
  const PickleTree& tree_;
  std::uint64_t bytes_left_;
};

template <typename Entry>
const Entry* entry_named(const std::vector<Entry>& entries, std::size_t place,
                         std::string_view name) {
  return place < entries.size() && entries[place].name == name ? &entries[place] : nullptr;
}

}  // namespace

Status GolfCheckpoint::add_name(const std::string& name, std::size_t place) {
  if (places_.emplace(name, place).second) return {};
  return Error{ErrorCode::kBadInput, "a second tensor of this name"};
}
Status GolfCheckpoint::add(GolfCodedMatrix matrix) {
  BANKAI_RETURN_IF_ERROR(add_name(matrix.name, matrices.size()));
  matrices.push_back(std::move(matrix));
  return {};
}
Status GolfCheckpoint::add(GolfNumbers tensor) {
  BANKAI_RETURN_IF_ERROR(add_name(tensor.name, numbers.size()));
  numbers.push_back(std::move(tensor));
  return {};
}

const GolfCodedMatrix* GolfCheckpoint::find_matrix(std::string_view name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? nullptr : entry_named(matrices, found->second, name);
}
const GolfNumbers* GolfCheckpoint::find_numbers(std::string_view name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? nullptr : entry_named(numbers, found->second, name);
}

bool looks_like_golf(std::span<const std::byte> bytes) {
  return detect_compression(bytes) != OuterCompression::kNone ||
         (bytes.size() >= 4 && bytes[0] == std::byte{'P'} && bytes[1] == std::byte{'K'} &&
          bytes[2] == std::byte{3} && bytes[3] == std::byte{4});
}

Result<GolfCheckpoint> read_golf_checkpoint(std::span<const std::byte> file) {
  GolfCheckpoint checkpoint;
  BANKAI_ASSIGN_OR_RETURN(checkpoint.content, expand_file(file, kMaxContent));
  BANKAI_ASSIGN_OR_RETURN(const TorchArchive archive, TorchArchive::read(checkpoint.content.bytes));
  BANKAI_RETURN_IF_ERROR(
      DictionaryReader(archive, checkpoint.content.bytes.size()).read(checkpoint));
  return checkpoint;
}

}  // namespace bankai::packer
