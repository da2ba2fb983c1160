// A whole file mapped into memory, read-only and shared: every process that maps the same model
// shares one copy in the page cache.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "core/result.h"

namespace bankai {

class MappedFile {
 public:
  // Errors: kIo with the path and the system's reason. An empty file maps to an empty span.
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

  // Tells the system that `part` of bytes() is not needed for now: it no longer counts as memory of
  // this process, and is read again when it is touched.
  void release(std::span<const std::byte> part) const;

 private:
  MappedFile(std::string path, std::span<const std::byte> bytes)
      : path_(std::move(path)), bytes_(bytes) {}

  std::string path_;
  std::span<const std::byte> bytes_;
};

// The content of a whole file, or of standard input for "-". Errors: kIo.
Result<std::string> read_file(const std::string& path);

}  // namespace bankai
