// The system calls of an in-place edit behind an interface, so that tests can stop the program at
// any of them or simulate a disk that loses power.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/result.h"

namespace bankai::patch {

// All errors are kIo and name the path. Handles are small non-negative numbers.
class FileOps {
 public:
  FileOps() = default;
  FileOps(const FileOps&) = delete;
  FileOps& operator=(const FileOps&) = delete;
  virtual ~FileOps() = default;

  // The path without symbolic links; as it is if that cannot be told.
  virtual std::string resolve_links(const std::string& path) = 0;
  // Opens an existing file for reading and writing and locks it against other processes' edits
  // until it is closed. kIo also if another process holds the lock.
  virtual Result<int> open_locked(const std::string& path) = 0;
  virtual Result<int> open_to_read(const std::string& path) = 0;
  // Creates a new file; an existing one is an error.
  virtual Result<int> create(const std::string& path) = 0;
  virtual void close(int handle) = 0;
  virtual bool exists(const std::string& path) = 0;

  virtual Result<std::uint64_t> size_bytes(int handle) = 0;
  // Fills `bytes` completely; a shorter file is an error.
  virtual Status read_at(int handle, std::uint64_t offset, std::span<std::byte> bytes) = 0;
  virtual Status write_at(int handle, std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  virtual Status sync(int handle) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  // Makes creations, renames and removals in the folder of `path` durable.
  virtual Status sync_folder_of(const std::string& path) = 0;
};

// The real ones; stateless.
FileOps& system_file_ops();

}  // namespace bankai::patch
