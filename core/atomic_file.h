// Output files that appear whole or not at all: written beside the target, synced, renamed.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

namespace bankai {

enum class Overwrite { kRefuse, kReplace };

class AtomicFile {
 public:
  // Creates the temporary file beside `path`. Errors: kUsage if `path` exists and may not be
  // replaced or is no regular file, kIo otherwise. A destroyed, uncommitted AtomicFile removes its
  // temporary file.
  static Result<AtomicFile> create(const std::string& path, Overwrite overwrite);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text) {
    return write(std::as_bytes(std::span<const char>(text.data(), text.size())));
  }

  // Syncs the data, renames it to the target and syncs the folder. Write no more after it.
  Status commit();

 private:
  AtomicFile(std::string path, std::string temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

// The whole file in one call; "-" writes to standard output.
Status write_file(const std::string& path, std::string_view content, Overwrite overwrite);

// Makes a rename or creation in the folder of `path` durable.
Status sync_folder_of(const std::string& path);

}  // namespace bankai
