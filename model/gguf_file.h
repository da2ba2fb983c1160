// A GGUF file (versions 2 and 3), memory-mapped, checked completely before anything is used: every
// count, length, offset, alignment and product. Memory stays bounded by the file's size, and no
// tensor data is touched. The format and its limits: docs/formats/gguf.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/mapped_file.h"
#include "core/page_memory.h"
#include "core/result.h"
#include "model/gguf_tensor.h"
#include "model/gguf_value.h"

namespace bankai::model {

class GgufFile {
 public:
  // Errors name the file: kIo, kBadInput (damaged), kUnsupported (another version, endianness,
  // tensor type …).
  static Result<GgufFile> open(const std::string& path);
  // The same over bytes in memory that outlive the object (for tests and fuzzing).
  static Result<GgufFile> parse(std::span<const std::byte> bytes, std::string name);
  // The same over the first `bytes` of memory that the object keeps. REQUIRES: it has as many.
  static Result<GgufFile> adopt(PageMemory memory, std::size_t bytes, std::string name);

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::uint32_t version() const { return version_; }
  std::uint64_t alignment() const { return alignment_; }
  // Where tensor data starts; the end of the file if there are no tensors.
  std::uint64_t data_offset() const { return data_offset_; }
  const std::vector<GgufValue>& metadata() const { return metadata_; }  // file order
  const std::vector<GgufTensor>& tensors() const { return tensors_; }   // file order

  // A part of bytes() that is not needed for now (MappedFile::release). Nothing happens for parsed
  // bytes, or for a part of other memory.
  void release(std::span<const std::byte> part) const;

  // nullptr if absent.
  const GgufValue* find_value(std::string_view key) const;
  const GgufTensor* find_tensor(std::string_view name) const;

  // Typed look-ups. Without a fallback a missing key is kBadInput. The message names file and key.
  Result<std::uint64_t> get_unsigned(std::string_view key,
                                     std::optional<std::uint64_t> fallback = {}) const;
  Result<double> get_float(std::string_view key, std::optional<double> fallback = {}) const;
  Result<bool> get_bool(std::string_view key, std::optional<bool> fallback = {}) const;
  Result<std::string> get_string(std::string_view key,
                                 std::optional<std::string> fallback = {}) const;

 private:
  GgufFile(std::span<const std::byte> bytes, std::string name)
      : path_(std::move(name)), bytes_(bytes) {}
  Status read();
  Status index_values();
  Status index_tensors();
  template <typename T, typename Decode>
  Result<T> get(std::string_view key, std::optional<T> fallback, Decode decode) const;

  std::optional<MappedFile> mapping_;
  PageMemory memory_;  // of adopted bytes
  std::string path_;
  std::span<const std::byte> bytes_;
  std::uint32_t version_ = 0;
  std::uint64_t alignment_ = 0;
  std::uint64_t data_offset_ = 0;
  std::vector<GgufValue> metadata_;
  std::vector<GgufTensor> tensors_;
  // Positions in the vectors. Sorted, so that look-up and the search for duplicates stay fast
  // whatever a file holds.
  std::map<std::string_view, std::size_t> value_index_;
  std::map<std::string_view, std::size_t> tensor_index_;
};

}  // namespace bankai::model
