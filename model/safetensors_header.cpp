#include "model/safetensors_header.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

#include <nlohmann/json.hpp>

#include "core/byte_reader.h"
#include "core/format.h"

namespace bankai::model {
namespace {

constexpr std::string_view kMetadataKey = "__metadata__";

unsigned long long printable(std::uint64_t value) { return value; }

// What the JSON says of one tensor.
struct Entry {
  std::string name;
  std::optional<std::string> type;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> places;  // data_offsets: begin, end
};

// The callbacks of nlohmann's SAX parser; returning false ends the parse. A header is
//   { "__metadata__": { key: string … }, name: { "dtype": string, "shape": [ … ],
//     "data_offsets": [ begin, end ] } … }
// and nothing else, so that no document tree is needed and nothing can nest.
class HeaderParser {
 public:
  using Json = nlohmann::json;

  bool null() { return refuse("null"); }
  bool boolean(bool) { return refuse("a truth value"); }
  bool number_integer(Json::number_integer_t) { return refuse("a negative number"); }
  bool number_float(Json::number_float_t, const std::string&) { return refuse("a fraction"); }
  bool binary(Json::binary_t&) { return refuse("binary data"); }
  bool number_unsigned(Json::number_unsigned_t value) {
    if (!numbers_) return refuse("a number");
    if (numbers_->size() >= kSafetensorsMaxDims) return refuse("too many numbers");
    numbers_->push_back(value);
    return true;
  }
  bool string(std::string& text) {
    if (state_ == State::kMetadata) {
      metadata_[key_] = std::move(text);
      return true;
    }
    if (state_ != State::kTensor || key_ != "dtype") return refuse("a string");
    entry_.type = std::move(text);
    return true;
  }
  bool start_object(std::size_t) {
    if (state_ == State::kStart) {
      state_ = State::kTop;
      return true;
    }
    if (state_ != State::kTop) return refuse("an object");
    keys_.clear();
    state_ = key_ == kMetadataKey ? State::kMetadata : State::kTensor;
    entry_ = {key_, {}, {}, {}};
    return true;
  }
  bool end_object() {
    if (state_ == State::kTop) return true;
    if (state_ == State::kTensor) {
      if (!entry_.type || !entry_.shape || !entry_.places)
        return fail("tensor " + bankai::quoted(entry_.name) +
                    " lacks dtype, shape or data_offsets");
      entries_.push_back(std::move(entry_));
    }
    state_ = State::kTop;
    return true;
  }
  bool start_array(std::size_t) {
    if (state_ != State::kTensor || numbers_) return refuse("a list");
    if (key_ == "shape")
      numbers_ = &entry_.shape.emplace();
    else if (key_ == "data_offsets")
      numbers_ = &entry_.places.emplace();
    else
      return refuse("a list");
    return true;
  }
  bool end_array() {
    numbers_ = nullptr;
    return true;
  }
  bool key(std::string& name) {
    if (!(state_ == State::kTop ? names_ : keys_).insert(name).second)
      return fail("the key " + bankai::quoted(name) + " stands twice");
    if (state_ == State::kTensor && name != "dtype" && name != "shape" && name != "data_offsets")
      return fail("tensor " + bankai::quoted(entry_.name) + " has the unknown key " +
                  bankai::quoted(name));
    key_ = name;
    return true;
  }
  bool parse_error(std::size_t offset, const std::string&, const Json::exception&) {
    return fail(format("not valid JSON at offset %zu", sizeof(std::uint64_t) + offset));
  }

  const std::string& message() const { return message_; }
  std::vector<Entry>& entries() { return entries_; }
  std::map<std::string, std::string>& metadata() { return metadata_; }

 private:
  enum class State : std::uint8_t { kStart, kTop, kMetadata, kTensor };

  bool fail(std::string message) {
    message_ = std::move(message);
    return false;
  }
  bool refuse(const char* what) {
    std::string where = "at the top";
    if (state_ == State::kTop) where = "as " + bankai::quoted(key_);
    if (state_ == State::kMetadata) where = "in the metadata as " + bankai::quoted(key_);
    if (state_ == State::kTensor)
      where = "as " + bankai::quoted(key_) + " of tensor " + bankai::quoted(entry_.name);
    return fail(std::string(what) + " " + where + " does not belong there");
  }

  State state_ = State::kStart;
  std::string key_;
  Entry entry_;
  std::vector<std::uint64_t>* numbers_ = nullptr;  // the list that is open
  std::set<std::string> names_;                    // keys of the outer object
  std::set<std::string> keys_;                     // keys of the inner one
  std::vector<Entry> entries_;
  std::map<std::string, std::string> metadata_;
  std::string message_;
};

// Checks an entry against the data of the file, which start at `start`.
Result<SafetensorsTensor> make_tensor(Entry& entry, std::span<const std::byte> file,
                                      std::size_t start) {
  const SafetensorsTypeInfo* type = find_safetensors_type(*entry.type);
  if (type == nullptr) {
    std::string known;
    for (const SafetensorsTypeInfo& info : kSafetensorsTypes)
      known.append(known.empty() ? "" : ", ").append(info.name);
    return make_error(ErrorCode::kUnsupported, "the type is %s; known are %s",
                      bankai::quoted(*entry.type).c_str(), known.c_str());
  }
  std::uint64_t bytes = type->bytes;
  for (const std::uint64_t dim : *entry.shape)
    if (__builtin_mul_overflow(bytes, dim, &bytes))
      return make_error(ErrorCode::kBadInput, "the product of its shape is beyond 64 bits");
  if (entry.places->size() != 2)
    return make_error(ErrorCode::kBadInput, "data_offsets has %zu numbers, expected 2",
                      entry.places->size());
  const std::uint64_t begin = (*entry.places)[0];
  const std::uint64_t end = (*entry.places)[1];
  if (begin > end || end > file.size() - start)
    return make_error(ErrorCode::kBadInput,
                      "data_offsets are %llu to %llu, expected to lie within the %zu bytes of data",
                      printable(begin), printable(end), file.size() - start);
  if (end - begin != bytes)
    return make_error(ErrorCode::kBadInput, "it occupies %llu bytes, its shape needs %llu",
                      printable(end - begin), printable(bytes));
  SafetensorsTensor tensor{
      std::move(entry.name), type->type, std::move(*entry.shape), start + begin, {}};
  tensor.data =
      file.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(bytes));
  return tensor;
}

// Sorted by place, each tensor must begin where the one before it ends.
Status check_places(std::vector<SafetensorsTensor>& tensors, std::span<const std::byte> file,
                    std::uint64_t start) {
  std::sort(tensors.begin(), tensors.end(),
            [](const SafetensorsTensor& a, const SafetensorsTensor& b) {
              return std::tuple(a.offset, a.data.size(), std::string_view(a.name)) <
                     std::tuple(b.offset, b.data.size(), std::string_view(b.name));
            });
  std::uint64_t expected = start;
  for (const SafetensorsTensor& tensor : tensors) {
    if (tensor.offset != expected)
      return make_error(ErrorCode::kBadInput,
                        "tensor %s starts at offset %llu, expected %llu, where the one before it "
                        "ends",
                        bankai::quoted(tensor.name).c_str(), printable(tensor.offset),
                        printable(expected));
    expected += tensor.data.size();
  }
  if (expected != file.size())
    return make_error(ErrorCode::kBadInput, "the tensors end at offset %llu, the file at %zu",
                      printable(expected), file.size());
  return {};
}

}  // namespace

std::uint64_t SafetensorsTensor::elements() const {
  std::uint64_t count = 1;
  for (const std::uint64_t dim : shape) count *= dim;
  return count;
}

Result<SafetensorsHeader> read_safetensors_header(std::span<const std::byte> file) {
  const std::string_view start(reinterpret_cast<const char*>(file.data()), file.size());
  if (start.starts_with("version https://git-lfs"))
    return make_error(ErrorCode::kBadInput,
                      "a Git LFS pointer, not the tensors themselves: fetch the file with git lfs");
  ByteReader reader(file);
  BANKAI_ASSIGN_OR_RETURN(const auto length, reader.read<std::uint64_t>("header length"));
  if (length > kSafetensorsMaxHeader || length > reader.remaining())
    return make_error(ErrorCode::kBadInput,
                      "header length at offset 0 is %llu, expected at most %llu (the format) and "
                      "%zu (the file)",
                      printable(length), printable(kSafetensorsMaxHeader), reader.remaining());
  BANKAI_ASSIGN_OR_RETURN(const auto raw, reader.read_bytes(length, "header"));
  const std::string_view text(reinterpret_cast<const char*>(raw.data()), raw.size());
  if (!text.starts_with('{'))
    return make_error(ErrorCode::kBadInput, "the header at offset 8 does not start with '{'");
  HeaderParser parser;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &parser))
    return make_error(ErrorCode::kBadInput, "header: %s", parser.message().c_str());
  SafetensorsHeader header;
  header.metadata = std::move(parser.metadata());
  header.tensors.reserve(parser.entries().size());
  for (Entry& entry : parser.entries()) {
    const std::string name = bankai::quoted(entry.name);
    auto tensor = make_tensor(entry, file, reader.offset());
    if (!tensor.ok()) return with_context(std::move(tensor).error(), "tensor " + name);
    header.tensors.push_back(std::move(tensor).value());
  }
  BANKAI_RETURN_IF_ERROR(check_places(header.tensors, file, reader.offset()));
  return header;
}

}  // namespace bankai::model
