// Writes GGUF files as stock tools read them: metadata in the order it was added, then the tensors
// in the order of their entries, each padded with zeros to the alignment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/atomic_file.h"
#include "core/byte_writer.h"
#include "core/result.h"
#include "kernels/tensor_type.h"
#include "model/gguf_value.h"

namespace bankai::model {

struct GgufTensorSpec {
  std::string name;  // at most 64 bytes; stock tools load at most 63
  kernels::TensorType type = kernels::TensorType::kF32;
  std::vector<std::uint64_t> dims;            // fastest first, as in GgufTensor
  std::optional<std::uint32_t> type_id = {};  // written in place of the type's own
};

// The GGUF type of a C++ number type or bool.
template <typename T>
constexpr GgufType gguf_type_of() {
  if constexpr (std::is_same_v<T, bool>)
    return GgufType::kBool;
  else if constexpr (std::is_same_v<T, float>)
    return GgufType::kF32;
  else if constexpr (std::is_same_v<T, double>)
    return GgufType::kF64;
  else {
    static_assert(std::is_integral_v<T>, "GGUF has no such type");
    constexpr GgufType kUnsigned[] = {GgufType::kU8, GgufType::kU16, GgufType::kU32,
                                      GgufType::kU64};
    constexpr GgufType kSigned[] = {GgufType::kI8, GgufType::kI16, GgufType::kI32, GgufType::kI64};
    constexpr std::size_t kLog = sizeof(T) == 8 ? 3 : sizeof(T) / 2;
    return std::is_signed_v<T> ? kSigned[kLog] : kUnsigned[kLog];
  }
}

// Takes the bytes of one tensor, in as many parts as the caller likes.
class GgufTensorSink {
 public:
  GgufTensorSink(AtomicFile& file, std::uint64_t bytes) : file_(file), remaining_(bytes) {}
  // Errors: kIo, kInternal for more bytes than the tensor has.
  Status write(std::span<const std::byte> bytes);
  std::uint64_t remaining() const { return remaining_; }

 private:
  AtomicFile& file_;
  std::uint64_t remaining_;
};

class GgufBuilder {
 public:
  // Writes all bytes of tensor `index` (in the order of add_tensor) into the sink.
  using TensorSource = std::function<Status(std::size_t index, GgufTensorSink& sink)>;

  explicit GgufBuilder(std::uint32_t version = 3) : version_(version) {}

  // add<std::uint32_t>("qwen3.block_count", 28): the type is always written out.
  template <typename T>
  void add(std::string_view key, std::type_identity_t<T> value) {
    begin_value(key, gguf_type_of<T>());
    values_.write<T>(value);
  }
  template <typename T>
  void add_array(std::string_view key, std::type_identity_t<std::span<const T>> values) {
    begin_array(key, gguf_type_of<T>(), values.size());
    values_.write_bytes(std::as_bytes(values));
  }
  void add_string(std::string_view key, std::string_view text);
  void add_strings(std::string_view key, std::span<const std::string> texts);
  // A value of another file, as it is encoded there.
  void add_value(const GgufValue& value);
  void add_tensor(GgufTensorSpec spec) { tensors_.push_back(std::move(spec)); }

  // Everything before the tensor data, padding included. A key general.alignment that was added is
  // obeyed. Errors (kBadInput, naming key or tensor): whatever a reader would refuse, e.g. a key
  // used twice, a name too long, a shape that the type does not allow.
  Result<std::vector<std::byte>> header() const;

  // The whole file, without ever holding more than a part of a tensor in memory.
  // Errors: those of header(), AtomicFile and `source`; kInternal if a tensor came out too short.
  Status write(const std::string& path, Overwrite overwrite, const TensorSource& source) const;

 private:
  void begin_value(std::string_view key, GgufType type);
  void begin_array(std::string_view key, GgufType element_type, std::uint64_t count);
  void write_text(std::string_view text);

  struct Layout;  // of the header and the data
  Result<Layout> layout() const;

  std::uint32_t version_;
  std::uint64_t num_values_ = 0;
  ByteWriter values_;  // encoded
  std::vector<GgufTensorSpec> tensors_;
};

}  // namespace bankai::model
