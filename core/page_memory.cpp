#include "core/page_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/format.h"

namespace bankai {
namespace {

constexpr char kInodeMark = '#';  // in a name, between path and inode

Error memory_error(const char* action, std::size_t bytes) {
  return make_error(ErrorCode::kIo, "cannot %s %zu bytes of memory: %s", action, bytes,
                    std::strerror(errno));
}

// An empty span where the system refuses.
std::span<std::byte> map_pages(std::size_t bytes, int protection, int flags, int descriptor) {
  void* address = ::mmap(nullptr, bytes, protection, flags, descriptor, 0);
  if (address == MAP_FAILED) return {};
  ::madvise(address, bytes, MADV_HUGEPAGE);  // a wish: fewer misses in the address cache
  return {static_cast<std::byte*>(address), bytes};
}

}  // namespace

Result<PageMemory> PageMemory::allocate(std::size_t bytes) {
  PageMemory memory;
  if (bytes == 0) return memory;
  memory.bytes_ = map_pages(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  if (memory.bytes_.empty()) return memory_error("allocate", bytes);
  return memory;
}

Result<PageMemory> PageMemory::allocate_shared(std::size_t bytes) {
  PageMemory memory;
  memory.descriptor_ = ::memfd_create("bankai", MFD_CLOEXEC);
  struct stat info {};
  if (memory.descriptor_ < 0 || ::fstat(memory.descriptor_, &info) != 0)
    return memory_error("share", bytes);
  // Reserved now: a page that cannot be had later would end the process.
  if (bytes > 0)
    if ((errno = ::posix_fallocate(memory.descriptor_, 0, static_cast<off_t>(bytes))) != 0)
      return memory_error("share", bytes);
  memory.name_ = "/proc/" + std::to_string(::getpid()) + "/fd/" +
                 std::to_string(memory.descriptor_) + kInodeMark + std::to_string(info.st_ino);
  if (bytes == 0) return memory;
  memory.bytes_ = map_pages(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.descriptor_);
  if (memory.bytes_.empty()) return memory_error("share", bytes);
  return memory;
}

Result<PageMemory> PageMemory::map(const std::string& name, std::size_t bytes) {
  PageMemory memory;
  // Among processes that number each other differently the name may be a pipe's: do not wait for
  // it.
  const std::size_t mark = name.rfind(kInodeMark);
  const std::string path = name.substr(0, mark);
  memory.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (memory.descriptor_ < 0)
    return make_error(ErrorCode::kIo, "%s: cannot open: %s", path.c_str(), std::strerror(errno));
  struct stat info {};
  if (::fstat(memory.descriptor_, &info) != 0) return memory_error("map", bytes);
  if (mark == std::string::npos || name.substr(mark + 1) != std::to_string(info.st_ino))
    return make_error(ErrorCode::kBadInput, "%s: not the shared memory of that name", name.c_str());
  if (static_cast<std::size_t>(info.st_size) != bytes)
    return make_error(ErrorCode::kBadInput, "%s: shared memory of %zu bytes, expected %zu",
                      name.c_str(), static_cast<std::size_t>(info.st_size), bytes);
  if (bytes == 0) return memory;
  memory.bytes_ = map_pages(bytes, PROT_READ, MAP_SHARED, memory.descriptor_);
  if (memory.bytes_.empty()) return memory_error("map", bytes);
  return memory;
}

PageMemory::PageMemory(PageMemory&& other) noexcept
    : bytes_(std::exchange(other.bytes_, {})),
      name_(std::exchange(other.name_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

PageMemory& PageMemory::operator=(PageMemory&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(name_, other.name_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

PageMemory::~PageMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace bankai
