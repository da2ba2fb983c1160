#include "packer/pickle_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "core/byte_reader.h"
#include "packer/pickle_globals.h"
#include "packer/pickle_keys.h"

namespace bankai::packer {
namespace {

class Machine {
 public:
  explicit Machine(std::span<const std::byte> bytes) : bytes_(bytes), reader_(bytes) {}

  // Runs to the STOP opcode; the index of the result.
  Result<PickleIndex> run() {
    while (true) {
      start_ = reader_.offset();
      BANKAI_ASSIGN_OR_RETURN(opcode_, reader_.read<std::uint8_t>("pickle opcode"));
      if (opcode_ == '.') break;
      BANKAI_RETURN_IF_ERROR(step());
    }
    if (stack_.size() != 1 || !marks_.empty())
      return bad(format("a pickle ends with %zu values on its stack; expected 1", stack_.size()));
    if (reader_.remaining() != 0)
      return bad(format("%zu bytes follow the end of the pickle", reader_.remaining()));
    return stack_.back();
  }

  // The values, with the keys of dictionaries in order.
  Result<std::vector<PickleValue>> take_values() {
    BANKAI_RETURN_IF_ERROR(sort_text_keys(values_, bytes_));
    return std::move(values_);
  }

 private:
  Error bad(const std::string& message) const {
    return {ErrorCode::kBadInput, where() + ": " + message};
  }
  std::string where() const {
    return format("pickle opcode 0x%02x at offset %zu", opcode_, start_);
  }

  Status step() {
    switch (opcode_) {
      case 0x80: return protocol();
      case 0x95: return frame();
      case '(': marks_.push_back(stack_.size()); return limit_marks();
      case 'N': return push(PickleKind::kNone);
      case 0x88: return push_integer(PickleKind::kBool, 1);
      case 0x89: return push_integer(PickleKind::kBool, 0);
      case 'J': return push_number<std::int32_t>();
      case 'K': return push_number<std::uint8_t>();
      case 'M': return push_number<std::uint16_t>();
      case 0x8a: return push_long();
      case 'G': return push_float();
      case 'X': return push_text<std::uint32_t>();
      case 0x8c: return push_text<std::uint8_t>();
      case 0x8d: return push_text<std::uint64_t>();
      case 'B': return push_bytes<std::uint32_t>();
      case 'C': return push_bytes<std::uint8_t>();
      case 0x8e: return push_bytes<std::uint64_t>();
      case ')': return push(PickleKind::kTuple);
      case ']': return push(PickleKind::kList);
      case '}': return push(PickleKind::kDict);
      case 0x85: return push_tuple(1);
      case 0x86: return push_tuple(2);
      case 0x87: return push_tuple(3);
      case 't': return push_tuple(std::nullopt);
      case 'a': return extend(PickleKind::kList, 1);
      case 'e': return extend(PickleKind::kList, std::nullopt);
      case 's': return extend(PickleKind::kDict, 2);
      case 'u': return extend(PickleKind::kDict, std::nullopt);
      case 'q': return put<std::uint8_t>();
      case 'r': return put<std::uint32_t>();
      case 0x94: return memoize(memo_.size());
      case 'h': return get<std::uint8_t>();
      case 'j': return get<std::uint32_t>();
      case 'c': return push_global_lines();
      case 0x93: return push_global_of_stack();
      case 'R': return reduce();
      case 'Q': return persistent();
      default: return make_error(ErrorCode::kUnsupported, "%s is not accepted", where().c_str());
    }
  }

  Status protocol() {
    BANKAI_ASSIGN_OR_RETURN(const auto version, reader_.read<std::uint8_t>("pickle protocol"));
    if (version < 2 || version > 5)
      return bad(format("protocol %u; expected 2 to 5", unsigned{version}));
    return {};
  }

  // A frame says only how far a buffered reader may read on.
  Status frame() {
    BANKAI_ASSIGN_OR_RETURN(const auto size, reader_.read<std::uint64_t>("pickle frame"));
    if (size > reader_.remaining())
      return bad(format("a frame of %llu bytes, but only %zu are left",
                        static_cast<unsigned long long>(size), reader_.remaining()));
    return {};
  }

  Status limit_marks() const {
    return marks_.size() <= kMaxPickleValues
               ? Status()
               : Status(bad(format("more than %zu marks", marks_.size())));
  }

  Status push(PickleValue value) {
    if (values_.size() == kMaxPickleValues || stack_.size() == kMaxPickleValues)
      return bad(format("more than %zu values", kMaxPickleValues));
    stack_.push_back(static_cast<PickleIndex>(values_.size()));
    values_.push_back(std::move(value));
    return {};
  }
  Status push(PickleKind kind) {
    PickleValue value;
    value.kind = kind;
    return push(std::move(value));
  }
  Status push_integer(PickleKind kind, std::int64_t integer) {
    PickleValue value;
    value.kind = kind;
    value.integer = integer;
    return push(std::move(value));
  }
  template <typename T>
  Status push_number() {
    BANKAI_ASSIGN_OR_RETURN(const T number, reader_.read<T>("pickle integer"));
    return push_integer(PickleKind::kInteger, number);
  }

  // A two's complement number of 0 to 8 bytes, least significant first.
  Status push_long() {
    BANKAI_ASSIGN_OR_RETURN(const auto size, reader_.read<std::uint8_t>("size of an integer"));
    if (size > 8) return bad(format("an integer of %u bytes; expected at most 8", unsigned{size}));
    BANKAI_ASSIGN_OR_RETURN(const auto raw, reader_.read_bytes(size, "pickle integer"));
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < raw.size(); ++i)
      bits |= std::to_integer<std::uint64_t>(raw[i]) << (8 * i);
    if (size > 0 && size < 8 && (raw.back() & std::byte{0x80}) != std::byte{0})
      bits |= ~std::uint64_t{0} << (8U * size);
    return push_integer(PickleKind::kInteger, static_cast<std::int64_t>(bits));
  }

  Status push_float() {  // the one big-endian number of the format
    BANKAI_ASSIGN_OR_RETURN(const auto raw, reader_.read_bytes(8, "pickle float"));
    std::uint64_t bits = 0;
    for (const std::byte byte : raw) bits = bits << 8U | std::to_integer<std::uint64_t>(byte);
    PickleValue value;
    value.kind = PickleKind::kFloat;
    value.number = std::bit_cast<double>(bits);
    return push(std::move(value));
  }

  template <typename Size>
  Result<std::span<const std::byte>> sized() {
    BANKAI_ASSIGN_OR_RETURN(const Size size, reader_.read<Size>("size of a string"));
    return reader_.read_bytes(size, "pickle string");
  }
  template <typename Size>
  Status push_text() {
    BANKAI_ASSIGN_OR_RETURN(const auto raw, sized<Size>());
    PickleValue value;
    value.kind = PickleKind::kText;
    value.text = {reinterpret_cast<const char*>(raw.data()), raw.size()};
    return push(std::move(value));
  }
  template <typename Size>
  Status push_bytes() {
    BANKAI_ASSIGN_OR_RETURN(const auto raw, sized<Size>());
    PickleValue value;
    value.kind = PickleKind::kBytes;
    value.bytes.assign(raw.begin(), raw.end());
    return push(std::move(value));
  }

  // Takes `count` values off the stack, or those above the last mark, which goes too.
  Result<std::vector<PickleIndex>> pop(std::optional<std::size_t> count) {
    std::size_t bottom = marks_.empty() ? 0 : marks_.back();
    if (!count) {
      if (marks_.empty()) return bad("there is no mark");
      marks_.pop_back();
    } else {
      if (stack_.size() - bottom < *count) return bad("the stack holds too few values");
      bottom = stack_.size() - *count;
    }
    std::vector<PickleIndex> items(stack_.begin() + static_cast<std::ptrdiff_t>(bottom),
                                   stack_.end());
    stack_.resize(bottom);
    return items;
  }

  Status push_tuple(std::optional<std::size_t> count) {
    BANKAI_ASSIGN_OR_RETURN(std::vector<PickleIndex> items, pop(count));
    PickleValue value;
    value.kind = PickleKind::kTuple;
    value.items = std::move(items);
    return push(std::move(value));
  }

  Status extend(PickleKind kind, std::optional<std::size_t> count) {
    BANKAI_ASSIGN_OR_RETURN(const std::vector<PickleIndex> items, pop(count));
    if (kind == PickleKind::kDict && items.size() % 2 != 0) return bad("a key without a value");
    if (stack_.empty() || values_[stack_.back()].kind != kind)
      return bad(format("expected a %s to extend", pickle_kind_name(kind)));
    num_items_ += items.size();
    if (num_items_ > kMaxPickleValues) return bad(format("more than %zu items", kMaxPickleValues));
    auto& target = values_[stack_.back()].items;
    target.insert(target.end(), items.begin(), items.end());
    return {};
  }

  template <typename Index>
  Status put() {
    BANKAI_ASSIGN_OR_RETURN(const Index index, reader_.read<Index>("memo index"));
    return memoize(index);
  }
  Status memoize(std::size_t index) {
    if (index >= kMaxPickleValues) return bad(format("memo index %zu", index));
    if (stack_.empty()) return bad("there is nothing to remember");
    if (index >= memo_.size()) memo_.resize(index + 1, kUnset);
    memo_[index] = stack_.back();
    return {};
  }
  template <typename Index>
  Status get() {
    BANKAI_ASSIGN_OR_RETURN(const Index index, reader_.read<Index>("memo index"));
    if (index >= memo_.size() || memo_[index] == kUnset)
      return bad(format("memo index %llu was never set", static_cast<unsigned long long>(index)));
    if (stack_.size() == kMaxPickleValues)
      return bad(format("more than %zu values", kMaxPickleValues));
    stack_.push_back(memo_[index]);
    return {};
  }

  Status push_global(std::string_view module, std::string_view name) {
    for (const std::string_view known : kGlobals) {
      if (known.size() == module.size() + 1 + name.size() && known.starts_with(module) &&
          known[module.size()] == ' ' && known.ends_with(name)) {
        PickleValue value;
        value.kind = PickleKind::kGlobal;
        value.text = known;
        return push(std::move(value));
      }
    }
    return make_error(ErrorCode::kUnsupported, "%s: the global %s of module %s is not accepted",
                      where().c_str(), quoted(name).c_str(), quoted(module).c_str());
  }
  Result<std::string_view> line() {
    constexpr std::size_t kMaxName = 100;
    const std::size_t start = reader_.offset();
    for (std::size_t length = 0; length <= kMaxName; ++length) {
      BANKAI_ASSIGN_OR_RETURN(const auto byte, reader_.read<char>("name of a global"));
      if (byte == '\n')
        return std::string_view(reinterpret_cast<const char*>(bytes_.data()) + start, length);
    }
    return bad(format("a name of more than %zu bytes", kMaxName));
  }
  Status push_global_lines() {
    BANKAI_ASSIGN_OR_RETURN(const std::string_view module, line());
    BANKAI_ASSIGN_OR_RETURN(const std::string_view name, line());
    return push_global(module, name);
  }
  Status push_global_of_stack() {
    BANKAI_ASSIGN_OR_RETURN(const std::vector<PickleIndex> names, pop(2));
    const PickleValue& module = values_[names[0]];
    const PickleValue& name = values_[names[1]];
    if (module.kind != PickleKind::kText || name.kind != PickleKind::kText)
      return bad("the name of a global is no text");
    return push_global(module.text, name.text);
  }

  Status reduce() {
    BANKAI_ASSIGN_OR_RETURN(const std::vector<PickleIndex> call, pop(2));
    if (values_[call[0]].kind != PickleKind::kGlobal)
      return bad(format("a call of a value of kind %s", pickle_kind_name(values_[call[0]].kind)));
    if (values_[call[1]].kind != PickleKind::kTuple)
      return bad("the arguments of a call are no tuple");
    const std::string_view function = values_[call[0]].text;
    const std::vector<PickleIndex> arguments = values_[call[1]].items;
    if (function == kOrderedDict && arguments.empty()) return push(PickleKind::kDict);
    if (function.ends_with(" bytes") && arguments.empty()) return push(PickleKind::kBytes);
    if (function == kEncode) return encode_latin1(arguments);
    if (function == "torch Size" && arguments.size() == 1 &&
        values_[arguments[0]].kind == PickleKind::kTuple) {
      stack_.push_back(arguments[0]);
      return {};
    }
    if (function == kRebuildV2 || function == kRebuildV3) {
      num_items_ += arguments.size();
      if (num_items_ > kMaxPickleValues)
        return bad(format("more than %zu items", kMaxPickleValues));
      PickleValue value;
      value.kind = PickleKind::kCall;
      value.text = function;
      value.items = arguments;
      return push(std::move(value));
    }
    return make_error(ErrorCode::kUnsupported, "%s: a call of %s with %zu arguments",
                      where().c_str(), quoted(function).c_str(), arguments.size());
  }

  // Bytes in protocol 2: the text whose characters U+0000 to U+00FF are the bytes.
  Status encode_latin1(const std::vector<PickleIndex>& arguments) {
    if (arguments.size() != 2 || values_[arguments[0]].kind != PickleKind::kText ||
        values_[arguments[1]].text != "latin1")
      return bad("expected a text to encode as latin1");
    const std::string_view text = values_[arguments[0]].text;
    PickleValue value;
    value.kind = PickleKind::kBytes;
    // A text that many calls share must not be copied by each of them.
    num_decoded_ += text.size();
    if (num_decoded_ > reader_.offset()) return bad("a text is encoded more than once");
    value.bytes.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto first = static_cast<unsigned char>(text[i]);
      unsigned character = first;
      if (first >= 0x80U) {
        const unsigned next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
        if ((first != 0xc2U && first != 0xc3U) || (next & 0xc0U) != 0x80U)
          return bad(format("byte %zu of a text is no character below U+0100", i));
        character = (first & 0x3U) << 6U | (next & 0x3fU);
        ++i;
      }
      value.bytes.push_back(static_cast<std::byte>(character));
    }
    return push(std::move(value));
  }

  Status persistent() {
    BANKAI_ASSIGN_OR_RETURN(std::vector<PickleIndex> id, pop(1));
    PickleValue value;
    value.kind = PickleKind::kStorage;
    value.items = std::move(id);
    return push(std::move(value));
  }

  static constexpr PickleIndex kUnset = ~PickleIndex{0};

  std::span<const std::byte> bytes_;
  ByteReader reader_;
  std::size_t start_ = 0;  // of the opcode at hand
  std::uint8_t opcode_ = 0;
  std::vector<PickleValue> values_;
  std::vector<PickleIndex> stack_;
  std::vector<std::size_t> marks_;  // sizes of the stack
  std::vector<PickleIndex> memo_;
  std::size_t num_items_ = 0;    // put into lists, dictionaries and calls
  std::size_t num_decoded_ = 0;  // bytes of text turned into bytes
};

}  // namespace

const char* pickle_kind_name(PickleKind kind) {
  constexpr std::array<const char*, 12> kNames = {"none", "bool",   "integer", "float",
                                                  "text", "bytes",  "tuple",   "list",
                                                  "dict", "global", "storage", "call"};
  return kNames[static_cast<std::size_t>(kind)];
}

Result<PickleTree> PickleTree::read(std::span<const std::byte> bytes) {
  Machine machine(bytes);
  PickleTree tree;
  BANKAI_ASSIGN_OR_RETURN(tree.root_, machine.run());
  BANKAI_ASSIGN_OR_RETURN(tree.values_, machine.take_values());
  return tree;
}

}  // namespace bankai::packer
