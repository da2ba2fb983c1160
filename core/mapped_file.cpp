#include "core/mapped_file.h"

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

Error io_error(const std::string& path, const char* action) {
  return make_error(ErrorCode::kIo, "%s: cannot %s: %s", path.c_str(), action,
                    std::strerror(errno));
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return io_error(path, "open");
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) {
    Error error = io_error(path, "stat");
    ::close(descriptor);
    return error;
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(descriptor);
    return make_error(ErrorCode::kIo, "%s: not a regular file", path.c_str());
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size == 0) {
    ::close(descriptor);
    return MappedFile(path, {});
  }
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  if (address == MAP_FAILED) {
    Error error = io_error(path, "map");
    ::close(descriptor);
    return error;
  }
  ::close(descriptor);
  return MappedFile(path, {static_cast<const std::byte*>(address), size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void MappedFile::release(std::span<const std::byte> part) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  // Pages that lie in the part as a whole.
  const auto begin = (static_cast<std::size_t>(part.data() - bytes_.data()) + page - 1) / page;
  const auto end = static_cast<std::size_t>(part.data() + part.size() - bytes_.data()) / page;
  if (begin >= end) return;
  auto* address = const_cast<std::byte*>(bytes_.data()) + begin * page;
  ::madvise(address, (end - begin) * page, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

Result<std::string> read_file(const std::string& path) {
  const bool standard_input = path == "-";
  const int descriptor = standard_input ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return io_error(path, "open");
  std::string content;
  char buffer[1 << 16];
  ssize_t count = 0;
  while ((count = ::read(descriptor, buffer, sizeof buffer)) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    content.append(buffer, static_cast<std::size_t>(count));
  }
  Error error = count < 0 ? io_error(path, "read") : Error{};
  if (!standard_input) ::close(descriptor);
  if (count < 0) return error;
  return content;
}

}  // namespace bankai
