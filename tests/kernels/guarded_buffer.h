// An array that ends exactly where a page without access begins: reading or writing one element too
// many ends the test.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <stdexcept>
#include <vector>

namespace bankai::kernels {

template <typename T>
class GuardedBuffer {
 public:
  explicit GuardedBuffer(std::size_t count) : count_(count) {
    const std::size_t page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t data_bytes = count * sizeof(T);
    const std::size_t data_pages = (data_bytes + page_bytes - 1) / page_bytes;
    mapped_bytes_ = (data_pages + 1) * page_bytes;
    map_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map_ == MAP_FAILED) throw std::runtime_error("mmap failed");
    char* guard = static_cast<char*>(map_) + data_pages * page_bytes;
    if (mprotect(guard, page_bytes, PROT_NONE) != 0) throw std::runtime_error("mprotect failed");
    data_ = reinterpret_cast<T*>(guard - data_bytes);
  }
  explicit GuardedBuffer(const std::vector<T>& values) : GuardedBuffer(values.size()) {
    if (count_ != 0) std::memcpy(data_, values.data(), count_ * sizeof(T));
  }
  ~GuardedBuffer() { munmap(map_, mapped_bytes_); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::vector<T> values() const { return std::vector<T>(data_, data_ + count_); }

 private:
  std::size_t count_;
  std::size_t mapped_bytes_ = 0;
  void* map_ = nullptr;
  T* data_ = nullptr;
};

}  // namespace bankai::kernels
