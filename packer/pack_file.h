// A .bkpack file for reading: checked as a whole when opened (header, footer, index, the place of
// every payload), decoded tensor by tensor, in any order. docs/formats/bkpack.md has the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "core/page_memory.h"
#include "core/result.h"
#include "packer/gguf_image.h"
#include "packer/pack_index.h"
#include "packer/tensor_coding.h"

namespace bankai::packer {

bool is_pack(std::span<const std::byte> bytes);

// What decoding tells while it goes on: what it is at, how much of the whole is done.
using PackProgress = std::function<void(const std::string& what, double fraction)>;

class PackFile {
 public:
  // Errors name the file: kIo; kBadInput, with offset, found and expected; kUnsupported for another
  // version.
  static Result<PackFile> open(const std::string& path);
  // The same over bytes that outlive the object.
  static Result<PackFile> parse(std::span<const std::byte> bytes, std::string name);

  const std::string& path() const { return path_; }
  const PackIndex& index() const { return index_; }
  const GgufLayout& layout() const { return *layout_; }
  std::uint64_t total_bytes() const { return bytes_.size(); }
  std::uint64_t stored_index_bytes() const { return stored_index_bytes_; }
  const Codec& index_codec() const { return *index_codec_; }

  // The parts of a tensor, as they are stored.
  std::span<const StoredPart> parts(std::size_t tensor) const { return parts_[tensor]; }
  // Fills a tensor's bytes and compares the checksum. Errors: kBadInput, naming file, tensor, part,
  // and offset in the payload. REQUIRES: layout().shape(tensor).bytes.
  Status decode(std::size_t tensor, std::span<std::byte> data, int threads) const;

  // The encoded keys and values of the model file. Errors as above.
  Result<std::vector<std::byte>> values() const;
  // The bytes between, one gap after the other; empty: all zero.
  Result<std::vector<std::byte>> gaps() const;

  // A .bkp file, checked. nullopt if there is no patch of this name.
  Result<std::optional<std::span<const std::byte>>> find_patch(std::string_view name) const;
  Result<std::span<const std::byte>> patch(std::size_t index) const;

  // Calls take(offset, bytes) for consecutive pieces of the model file, from 0 to its end; of a
  // tensor at a time. Errors: those above and of `take`.
  using Take = std::function<Status(std::uint64_t offset, std::span<const std::byte> bytes)>;
  Status decode_all(const Take& take, int threads, const PackProgress& progress) const;
  // The whole model file in place. REQUIRES: index().file_bytes of zeros.
  Status decode_into(std::span<std::byte> image, int threads, const PackProgress& progress) const;

 private:
  PackFile(std::span<const std::byte> bytes, std::string name)
      : path_(std::move(name)), bytes_(bytes) {}
  Status read();
  Status read_index(std::uint64_t& index_offset);
  Status check_outline() const;
  void report(std::size_t tensor, const PackProgress& progress) const;
  void release(std::size_t tensor) const;  // its pages, which are not needed again soon
  Status place_payloads(std::uint64_t index_offset);
  Result<std::vector<std::byte>> blob(const PackBlob& blob, std::span<const std::byte> stored,
                                      const char* what) const;
  std::uint64_t offset_of(std::span<const std::byte> part) const {
    return static_cast<std::uint64_t>(part.data() - bytes_.data());
  }

  std::optional<MappedFile> mapping_;
  std::string path_;
  std::span<const std::byte> bytes_;
  PackIndex index_;
  std::optional<GgufLayout> layout_;
  const Codec* index_codec_ = nullptr;
  std::uint64_t stored_index_bytes_ = 0;
  std::uint64_t plain_index_bytes_ = 0;
  std::vector<std::vector<StoredPart>> parts_;  // by tensor
  std::span<const std::byte> stored_gaps_, stored_values_;
  std::vector<std::span<const std::byte>> patches_;
};

}  // namespace bankai::packer
