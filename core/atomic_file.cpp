#include "core/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/format.h"

namespace bankai {
namespace {

Error io_error(const std::string& path, const char* action) {
  return make_error(ErrorCode::kIo, "%s: cannot %s: %s", path.c_str(), action,
                    std::strerror(errno));
}

Status write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return io_error(path, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const std::string& path, Overwrite overwrite) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    // A rename would put a file in the place of the device: of /dev/null, for everybody.
    if (!S_ISREG(info.st_mode))
      return make_error(ErrorCode::kUsage, "%s: not a regular file", path.c_str());
    if (overwrite == Overwrite::kRefuse)
      return make_error(ErrorCode::kUsage, "%s: exists already; --force replaces it", path.c_str());
  }
  std::string temporary = path + ".XXXXXX";
  const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) return io_error(path, "create");
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(descriptor, 0666 & ~mask);
  return AtomicFile(path, std::move(temporary), descriptor);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  return write_all(descriptor_, bytes, path_);
}

Status AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) return io_error(path_, "sync");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return io_error(path_, "rename");
  ::close(std::exchange(descriptor_, -1));
  return sync_folder_of(path_);
}

Status write_file(const std::string& path, std::string_view content, Overwrite overwrite) {
  const auto bytes = std::as_bytes(std::span<const char>(content.data(), content.size()));
  if (path == "-") return write_all(STDOUT_FILENO, bytes, "standard output");
  BANKAI_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, overwrite));
  BANKAI_RETURN_IF_ERROR(file.write(bytes));
  return file.commit();
}

Status sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::absolute(path).parent_path().string();
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return io_error(folder, "open");
  // Some file systems cannot sync a folder and say EINVAL; the rename is then as durable as they
  // make it.
  const bool failed = ::fsync(descriptor) != 0 && errno != EINVAL;
  Status status = failed ? Status(io_error(folder, "sync")) : Status();
  ::close(descriptor);
  return status;
}

}  // namespace bankai
