#include "model/gguf_value.h"

#include <cstring>
#include <limits>
#include <string>
#include <type_traits>

#include "core/format.h"

namespace bankai::model {
namespace {

template <typename T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

bool is_integer(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kU16:
    case GgufType::kI16:
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kU64:
    case GgufType::kI64: return true;
    default: return false;
  }
}

bool is_number(GgufType type) {
  return is_integer(type) || type == GgufType::kF32 || type == GgufType::kF64;
}

// f(x) for the number x of the given type at `bytes`. REQUIRES: is_number(type).
template <typename F>
auto visit_number(GgufType type, const std::byte* bytes, F f) {
  switch (type) {
    case GgufType::kU8: return f(load<std::uint8_t>(bytes));
    case GgufType::kI8: return f(load<std::int8_t>(bytes));
    case GgufType::kU16: return f(load<std::uint16_t>(bytes));
    case GgufType::kI16: return f(load<std::int16_t>(bytes));
    case GgufType::kU32: return f(load<std::uint32_t>(bytes));
    case GgufType::kI32: return f(load<std::int32_t>(bytes));
    case GgufType::kU64: return f(load<std::uint64_t>(bytes));
    case GgufType::kI64: return f(load<std::int64_t>(bytes));
    case GgufType::kF32: return f(load<float>(bytes));
    default: break;
  }
  BANKAI_CHECK(type == GgufType::kF64, "not a number type");
  return f(load<double>(bytes));
}

double to_double(GgufType type, const std::byte* bytes) {
  return visit_number(type, bytes, [](auto x) { return static_cast<double>(x); });
}

std::string describe(const GgufValue& value) {
  if (value.type != GgufType::kArray) return gguf_type_info(value.type).name;
  return std::string("array of ") + gguf_type_info(value.element_type).name;
}

Error wrong_value(const GgufValue& value, const std::string& found, const char* expected) {
  return make_error(ErrorCode::kBadInput, "key %s at offset %llu holds %s, expected %s",
                    quoted(value.key).c_str(), static_cast<unsigned long long>(value.offset),
                    found.c_str(), expected);
}

}  // namespace

Result<std::uint64_t> GgufValue::as_unsigned() const {
  constexpr const char* kExpected = "a non-negative integer";
  if (!is_integer(type)) return wrong_value(*this, describe(*this), kExpected);
  return visit_number(type, bytes.data(), [this](auto x) -> Result<std::uint64_t> {
    if (x < 0) return wrong_value(*this, std::to_string(x), kExpected);
    return static_cast<std::uint64_t>(x);
  });
}

Result<double> GgufValue::as_float() const {
  if (!is_number(type)) return wrong_value(*this, describe(*this), "a number");
  return to_double(type, bytes.data());
}

Result<bool> GgufValue::as_bool() const {
  if (type != GgufType::kBool) return wrong_value(*this, describe(*this), "a bool");
  return bytes[0] != std::byte{0};
}

Result<std::string_view> GgufValue::as_string() const {
  if (type != GgufType::kString) return wrong_value(*this, describe(*this), "a string");
  const auto text = bytes.subspan(sizeof(std::uint64_t));
  return std::string_view(reinterpret_cast<const char*>(text.data()), text.size());
}

Result<std::vector<std::string_view>> GgufValue::as_strings() const {
  if (type != GgufType::kArray || element_type != GgufType::kString)
    return wrong_value(*this, describe(*this), "an array of strings");
  std::vector<std::string_view> texts;
  texts.reserve(static_cast<std::size_t>(count));  // the reader has seen all of them
  const std::byte* next = bytes.data();
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto length = static_cast<std::size_t>(load<std::uint64_t>(next));
    next += sizeof(std::uint64_t);
    texts.emplace_back(reinterpret_cast<const char*>(next), length);
    next += length;
  }
  return texts;
}

Result<std::vector<std::int64_t>> GgufValue::as_integers() const {
  if (type != GgufType::kArray || !is_integer(element_type))
    return wrong_value(*this, describe(*this), "an array of integers");
  std::vector<std::int64_t> numbers;
  numbers.reserve(static_cast<std::size_t>(count));
  const std::size_t step = gguf_type_info(element_type).bytes;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    if (element_type == GgufType::kU64 &&
        load<std::uint64_t>(&bytes[at]) > std::numeric_limits<std::int64_t>::max())
      return wrong_value(*this, std::to_string(load<std::uint64_t>(&bytes[at])),
                         "integers below 2^63");
    numbers.push_back(visit_number(element_type, &bytes[at],
                                   [](auto x) { return static_cast<std::int64_t>(x); }));
  }
  return numbers;
}

Result<std::vector<double>> GgufValue::as_floats() const {
  if (type != GgufType::kArray || !is_number(element_type))
    return wrong_value(*this, describe(*this), "an array of numbers");
  std::vector<double> numbers;
  numbers.reserve(static_cast<std::size_t>(count));
  const std::size_t step = gguf_type_info(element_type).bytes;
  for (std::size_t at = 0; at < bytes.size(); at += step)
    numbers.push_back(to_double(element_type, &bytes[at]));
  return numbers;
}

}  // namespace bankai::model
