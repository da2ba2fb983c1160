#include "patch/file_ops.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "core/atomic_file.h"
#include "core/format.h"

namespace bankai::patch {
namespace {

Error io_error(const std::string& path, const char* action) {
  return make_error(ErrorCode::kIo, "%s: cannot %s: %s", path.c_str(), action,
                    std::strerror(errno));
}

// The path of an open file, for messages.
std::string path_of(int handle) {
  char path[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(handle);
  const ssize_t length = ::readlink(link.c_str(), path, sizeof path);
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : "an open file";
}

class SystemFileOps : public FileOps {
 public:
  std::string resolve_links(const std::string& path) override {
    std::error_code failed;
    const std::filesystem::path resolved = std::filesystem::canonical(path, failed);
    return failed ? path : resolved.string();
  }
  Result<int> open_locked(const std::string& path) override {
    BANKAI_ASSIGN_OR_RETURN(const int handle, open(path, O_RDWR));
    if (::flock(handle, LOCK_EX | LOCK_NB) == 0) return handle;
    Error error =
        errno == EWOULDBLOCK
            ? make_error(ErrorCode::kIo, "%s: another process is editing it", path.c_str())
            : io_error(path, "lock");
    ::close(handle);
    return error;
  }
  Result<int> open_to_read(const std::string& path) override { return open(path, O_RDONLY); }
  Result<int> create(const std::string& path) override {
    return open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW);
  }
  void close(int handle) override { ::close(handle); }
  bool exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }

  Result<std::uint64_t> size_bytes(int handle) override {
    struct stat info {};
    if (::fstat(handle, &info) != 0) return io_error(path_of(handle), "stat");
    return static_cast<std::uint64_t>(info.st_size);
  }
  Status read_at(int handle, std::uint64_t offset, std::span<std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = ::pread(handle, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return io_error(path_of(handle), "read");
      if (count == 0)
        return make_error(ErrorCode::kIo, "%s: ends before offset %llu", path_of(handle).c_str(),
                          static_cast<unsigned long long>(offset + bytes.size()));
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return {};
  }
  Status write_at(int handle, std::uint64_t offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t count =
          ::pwrite(handle, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return io_error(path_of(handle), "write");
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return {};
  }
  Status sync(int handle) override {
    if (::fsync(handle) != 0) return io_error(path_of(handle), "sync");
    return {};
  }
  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return io_error(to, "rename");
    return {};
  }
  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return io_error(path, "remove");
    return {};
  }
  Status sync_folder_of(const std::string& path) override { return bankai::sync_folder_of(path); }

 private:
  static Result<int> open(const std::string& path, int flags) {
    const int handle = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    if (handle < 0) return io_error(path, "open");
    return handle;
  }
};

}  // namespace

FileOps& system_file_ops() {
  static SystemFileOps ops;
  return ops;
}

}  // namespace bankai::patch
