// A restricted reader of Python pickles: it builds a tree of plain values and executes nothing. It
// knows the opcodes and the few globals that torch.save needs for dictionaries of numbers, text,
// bytes and tensors; everything else is refused with the offset and the opcode. The opcodes are
// those of Python's pickle module, protocols 2 to 5; docs/formats/golf.md lists the ones accepted.
//
// Values stand in one list and refer to each other by index, so that neither nesting nor a value
// that contains itself costs stack or memory. Memory is bounded by kMaxPickleValues and the size
// of the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace bankai::packer {

// Values of one pickle, and indices of its memo; a checkpoint needs some thousands.
inline constexpr std::size_t kMaxPickleValues = std::size_t{1} << 18U;

enum class PickleKind : std::uint8_t {
  kNone,
  kBool,     // integer 0 or 1
  kInteger,  // integer
  kFloat,    // number
  kText,     // text, UTF-8 as it stands in the file (not checked)
  kBytes,    // bytes
  kTuple,    // items
  kList,     // items
  kDict,     // items: key, value, key, value, …; no text key twice
  kGlobal,   // text: "module name", one of those accepted
  kStorage,  // items: one tuple; a persistent id
  kCall,     // text: the function, "torch._utils _rebuild_tensor_v2" or v3; items: its arguments
};
const char* pickle_kind_name(PickleKind kind);

using PickleIndex = std::uint32_t;

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  std::int64_t integer = 0;
  double number = 0.0;
  std::string_view text;         // in the input, or constant
  std::vector<std::byte> bytes;  // decoded: protocol 2 writes bytes as text
  std::vector<PickleIndex> items;
  // Of a dictionary: where in `items` its text keys stand, in ascending order of the keys.
  std::vector<PickleIndex> text_keys;
};

class PickleTree {
 public:
  // kBadInput for what is no complete pickle (bytes behind its end included) and for a dictionary
  // that has a key twice, kUnsupported for an opcode or a global that is not accepted; all with the
  // offset. The input outlives the tree.
  static Result<PickleTree> read(std::span<const std::byte> bytes);

  const PickleValue& root() const { return values_[root_]; }
  // REQUIRES: an index that stands in a value of this tree.
  const PickleValue& at(PickleIndex index) const { return values_[index]; }

  // The value under `key` in a dictionary; nullptr if there is none, or `dict` is none. A binary
  // search.
  const PickleValue* find(const PickleValue& dict, std::string_view key) const;

 private:
  PickleTree() = default;

  std::vector<PickleValue> values_;
  PickleIndex root_ = 0;
};

}  // namespace bankai::packer
