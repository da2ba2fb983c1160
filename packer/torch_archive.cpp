#include "packer/torch_archive.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/format.h"

namespace bankai::packer {
namespace {

struct TypeName {
  TorchType type;
  std::size_t bytes;
  const char* name;     // of the dtype, in torch
  const char* storage;  // of its storage; empty if there is none
};
constexpr std::array<TypeName, 11> kTypes = {{
    {TorchType::kF64, 8, "float64", "DoubleStorage"},
    {TorchType::kF32, 4, "float32", "FloatStorage"},
    {TorchType::kF16, 2, "float16", "HalfStorage"},
    {TorchType::kBf16, 2, "bfloat16", "BFloat16Storage"},
    {TorchType::kF8E4M3, 1, "float8_e4m3fn", ""},
    {TorchType::kI64, 8, "int64", "LongStorage"},
    {TorchType::kI32, 4, "int32", "IntStorage"},
    {TorchType::kI16, 2, "int16", "ShortStorage"},
    {TorchType::kI8, 1, "int8", "CharStorage"},
    {TorchType::kU8, 1, "uint8", "ByteStorage"},
    {TorchType::kBool, 1, "bool", "BoolStorage"},
}};

std::optional<TorchType> find_type(std::string_view global, const char* TypeName::*name) {
  constexpr std::string_view kModule = "torch ";
  if (!global.starts_with(kModule)) return std::nullopt;
  const std::string_view wanted = global.substr(kModule.size());
  for (const TypeName& type : kTypes)
    if (wanted == type.*name) return type.type;
  return std::nullopt;
}

bool is_untyped(std::string_view global) { return global.ends_with(" UntypedStorage"); }

// REQUIRES: entries in the order of their names.
const ZipEntry* find_entry(const std::vector<ZipEntry>& entries, std::string_view name) {
  const auto found = std::lower_bound(
      entries.begin(), entries.end(), name,
      [](const ZipEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  return found == entries.end() || found->name != name ? nullptr : &*found;
}

Error no_tensor(const char* what) {
  return make_error(ErrorCode::kBadInput, "no tensor as torch.save writes it: %s", what);
}

bool is_row_major(std::span<const std::uint64_t> shape, std::span<const std::uint64_t> strides) {
  std::uint64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

}  // namespace

std::size_t torch_type_bytes(TorchType type) {
  return kTypes[static_cast<std::size_t>(type)].bytes;
}
const char* torch_type_name(TorchType type) { return kTypes[static_cast<std::size_t>(type)].name; }

Result<TorchArchive> TorchArchive::read(std::span<const std::byte> bytes) {
  const bool is_zip = bytes.size() >= 2 && bytes[0] == std::byte{'P'} && bytes[1] == std::byte{'K'};
  if (!is_zip) {
    BANKAI_ASSIGN_OR_RETURN(PickleTree tree, PickleTree::read(bytes));
    return TorchArchive(std::move(tree));
  }
  BANKAI_ASSIGN_OR_RETURN(std::vector<ZipEntry> entries, read_stored_zip(bytes));
  std::sort(entries.begin(), entries.end(),
            [](const ZipEntry& a, const ZipEntry& b) { return a.name < b.name; });
  constexpr std::string_view kPickle = "/data.pkl";
  const auto pickle = std::find_if(entries.begin(), entries.end(), [&](const ZipEntry& entry) {
    return entry.name.ends_with(kPickle);
  });
  if (pickle == entries.end())
    return Error{ErrorCode::kBadInput, "an archive without data.pkl, so not by torch.save"};
  const std::string folder(pickle->name.substr(0, pickle->name.size() - kPickle.size() + 1));
  const ZipEntry* order = find_entry(entries, folder + "byteorder");
  if (order != nullptr) {
    const std::string_view word(reinterpret_cast<const char*>(order->data.data()),
                                order->data.size());
    if (word != "little")
      return make_error(ErrorCode::kUnsupported, "byte order %s; expected little",
                        quoted(word).c_str());
  }
  Result<PickleTree> tree = PickleTree::read(pickle->data);
  if (!tree.ok()) return with_context(std::move(tree).error(), "data.pkl");
  TorchArchive archive(std::move(tree).value());
  archive.entries_ = std::move(entries);
  archive.folder_ = folder;
  return archive;
}

// ('storage', type, key, device, elements).
Result<std::span<const std::byte>> TorchArchive::storage(const PickleValue& value,
                                                         TorchType* type) const {
  if (value.kind != PickleKind::kStorage || value.items.size() != 1)
    return no_tensor("its first argument is no storage");
  const PickleValue& id = tree_.at(value.items[0]);
  if (id.kind != PickleKind::kTuple || id.items.size() != 5)
    return no_tensor("the id of its storage is no tuple of 5");
  const PickleValue& word = tree_.at(id.items[0]);
  const PickleValue& kind = tree_.at(id.items[1]);
  const PickleValue& key = tree_.at(id.items[2]);
  const PickleValue& count = tree_.at(id.items[4]);
  if (word.kind != PickleKind::kText || word.text != "storage" ||
      kind.kind != PickleKind::kGlobal || key.kind != PickleKind::kText ||
      count.kind != PickleKind::kInteger || count.integer < 0)
    return no_tensor("the id of its storage has other parts");
  std::size_t element_bytes = 1;
  if (!is_untyped(kind.text)) {
    const std::optional<TorchType> found = find_type(kind.text, &TypeName::storage);
    if (!found)
      return make_error(ErrorCode::kUnsupported, "a storage of type %s", quoted(kind.text).c_str());
    *type = *found;
    element_bytes = torch_type_bytes(*found);
  }
  const ZipEntry* entry = find_entry(entries_, folder_ + "data/" + std::string(key.text));
  if (entry == nullptr)
    return make_error(ErrorCode::kBadInput, "the archive has no storage %s",
                      quoted(key.text).c_str());
  if (entry->data.size() / element_bytes != static_cast<std::uint64_t>(count.integer) ||
      entry->data.size() % element_bytes != 0)
    return make_error(ErrorCode::kBadInput,
                      "storage %s has %zu bytes; expected %lld elements of %zu",
                      quoted(key.text).c_str(), entry->data.size(),
                      static_cast<long long>(count.integer), element_bytes);
  return entry->data;
}

Result<std::vector<std::uint64_t>> TorchArchive::sizes(const PickleValue& value) const {
  constexpr std::size_t kMaxDimensions = 8;
  if (value.kind != PickleKind::kTuple || value.items.size() > kMaxDimensions)
    return no_tensor("its shape or strides are no tuple of at most 8");
  std::vector<std::uint64_t> numbers;
  for (const PickleIndex index : value.items) {
    const PickleValue& item = tree_.at(index);
    if (item.kind != PickleKind::kInteger || item.integer < 0)
      return no_tensor("a size is no count");
    numbers.push_back(static_cast<std::uint64_t>(item.integer));
  }
  return numbers;
}

// v2: (storage, offset, shape, strides, requires_grad, hooks[, metadata]);
// v3: (storage, offset, shape, strides, requires_grad, hooks, dtype[, metadata]).
Result<TorchTensor> TorchArchive::tensor(const PickleValue& value) const {
  if (value.kind != PickleKind::kCall)
    return make_error(ErrorCode::kBadInput, "expected a tensor, found a %s",
                      pickle_kind_name(value.kind));
  const bool has_type = value.text.ends_with("_v3");
  const std::size_t num_arguments = value.items.size();
  if (num_arguments < (has_type ? 7U : 6U) || num_arguments > (has_type ? 8U : 7U))
    return no_tensor("the number of its arguments");
  TorchTensor tensor;
  TorchType type = TorchType::kU8;
  BANKAI_ASSIGN_OR_RETURN(const auto data, storage(tree_.at(value.items[0]), &type));
  if (has_type) {
    const PickleValue& dtype = tree_.at(value.items[6]);
    const auto found =
        dtype.kind == PickleKind::kGlobal ? find_type(dtype.text, &TypeName::name) : std::nullopt;
    if (!found) return make_error(ErrorCode::kUnsupported, "a tensor of a type that is not known");
    type = *found;
  }
  tensor.type = type;
  BANKAI_ASSIGN_OR_RETURN(tensor.shape, sizes(tree_.at(value.items[2])));
  BANKAI_ASSIGN_OR_RETURN(const auto strides, sizes(tree_.at(value.items[3])));
  const PickleValue& offset = tree_.at(value.items[1]);
  if (offset.kind != PickleKind::kInteger || offset.integer < 0 ||
      strides.size() != tensor.shape.size())
    return no_tensor("its offset or strides");
  std::uint64_t bytes = torch_type_bytes(type);
  std::uint64_t start = 0;
  bool fits = !__builtin_mul_overflow(static_cast<std::uint64_t>(offset.integer), bytes, &start);
  for (const std::uint64_t size : tensor.shape)
    fits = fits && !__builtin_mul_overflow(bytes, size, &bytes);
  if (!fits || start > data.size() || bytes > data.size() - start)
    return make_error(ErrorCode::kBadInput, "a tensor ends outside its storage of %zu bytes",
                      data.size());
  if (!is_row_major(tensor.shape, strides))
    return make_error(ErrorCode::kUnsupported, "a tensor that is not in row-major order");
  tensor.bytes = data.subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(bytes));
  return tensor;
}

}  // namespace bankai::packer
