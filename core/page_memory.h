// Whole pages of memory for large arrays: private to the process, or shared with others on the same
// machine through the kernel, without a file that could be left behind.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "core/result.h"

namespace bankai {

class PageMemory {
 public:
  PageMemory() = default;
  // Zeroed memory of this process alone; asks for huge pages. Errors: kIo with the system's reason.
  static Result<PageMemory> allocate(std::size_t bytes);
  // The same, but other processes of the same user may map name() as long as this object lives.
  static Result<PageMemory> allocate_shared(std::size_t bytes);
  // The memory of another process by its name(), read-only; it stays when that process ends.
  // Errors: kIo; kBadInput if it has another size.
  static Result<PageMemory> map(const std::string& name, std::size_t bytes);

  PageMemory(PageMemory&& other) noexcept;
  PageMemory& operator=(PageMemory&& other) noexcept;
  PageMemory(const PageMemory&) = delete;
  PageMemory& operator=(const PageMemory&) = delete;
  ~PageMemory();

  // REQUIRES, to write: not mapped from another process.
  std::span<std::byte> bytes() const { return bytes_; }
  // Empty unless allocated as shared.
  const std::string& name() const { return name_; }

 private:
  std::span<std::byte> bytes_;  // page-aligned
  std::string name_;
  int descriptor_ = -1;  // of shared memory
};

}  // namespace bankai
