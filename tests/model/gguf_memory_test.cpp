// The reader's memory stays in proportion to the file: every allocation of this program is counted.
// A binary of its own, because it replaces the global operator new.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "core/format.h"
#include "tests/model/gguf_checks.h"
#include "tests/support/gguf_builder.h"

namespace {

// Each block begins with its size; 16 bytes keep the alignment of malloc.
constexpr std::size_t kPrefixBytes = 16;
std::size_t live_bytes = 0;
std::size_t peak_bytes = 0;

void* counted_new(std::size_t size) {
  void* block = std::malloc(size + kPrefixBytes);
  if (block == nullptr) throw std::bad_alloc();
  *static_cast<std::size_t*>(block) = size;
  live_bytes += size;
  peak_bytes = std::max(peak_bytes, live_bytes);
  return static_cast<char*>(block) + kPrefixBytes;
}

void counted_delete(void* pointer) noexcept {
  if (pointer == nullptr) return;
  void* block = static_cast<char*>(pointer) - kPrefixBytes;
  live_bytes -= *static_cast<std::size_t*>(block);
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) { return counted_new(size); }
void* operator new[](std::size_t size) { return counted_new(size); }
void operator delete(void* pointer) noexcept { counted_delete(pointer); }
void operator delete[](void* pointer) noexcept { counted_delete(pointer); }
void operator delete(void* pointer, std::size_t) noexcept { counted_delete(pointer); }
void operator delete[](void* pointer, std::size_t) noexcept { counted_delete(pointer); }

namespace bankai::model {
namespace {

using namespace bankai::testing;  // NOLINT: the builder and its type numbers

constexpr std::size_t kFileBytes = 1000000;
constexpr std::size_t kMostBytes = std::size_t{64} << 20U;

// The peak of what reading (and, if accepted, decoding) a file of at most 1 MB allocates.
std::size_t peak_of(const std::vector<std::byte>& bytes) {
  EXPECT_LE(bytes.size(), kFileBytes);
  const std::size_t before = live_bytes;
  peak_bytes = live_bytes;
  {
    const auto file = GgufFile::parse(bytes, "f");
    if (file.ok()) walk(*file);
  }
  EXPECT_EQ(live_bytes, before) << "memory was kept";
  return peak_bytes - before;
}

// As many of the smallest possible keys, or tensors, as fit.
GgufImage many_keys() {
  GgufImage image;
  for (std::size_t i = 0; i < kFileBytes / 16; ++i) {
    const auto name =
        std::string(1, static_cast<char>(1 + i % 250)) + static_cast<char>(1 + i / 250);
    image.number<std::uint8_t>(name, kGgufU8, 0);
  }
  return image;
}

GgufImage many_tensors() {
  GgufImage image;
  image.set_alignment(8);
  for (std::size_t i = 0; i < kFileBytes / 48; ++i) image.tensor(format("t%zu", i), {1}, 0, 4);
  return image;
}

TEST(GgufMemory, FilesMadeOfTheSmallestParts) {
  EXPECT_LT(peak_of(many_keys().build()), kMostBytes);
  EXPECT_LT(peak_of(many_tensors().build()), kMostBytes);
  const std::vector<std::byte> zeros(kFileBytes - 100);
  EXPECT_LT(peak_of(GgufImage().array("k", kGgufU8, zeros.size(), zeros).build()), kMostBytes);
  EXPECT_LT(peak_of(GgufImage().array("k", kGgufString, zeros.size() / 8, zeros).build()),
            kMostBytes);
}

TEST(GgufMemory, CountsThatTheFileCannotHoldCostNothing) {
  for (unsigned shift = 4; shift < 64; ++shift) {
    const std::uint64_t count = std::uint64_t{1} << shift;
    GgufImage counts = small_gguf();
    counts.declared_num_tensors = count;
    EXPECT_LT(peak_of(counts.build()), 100000U);
    counts.declared_num_tensors.reset();
    counts.declared_num_values = count;
    EXPECT_LT(peak_of(counts.build()), 100000U);
    for (const std::uint32_t type : {kGgufU8, kGgufU64, kGgufString}) {
      const std::vector<std::byte> elements(16);
      const auto bytes = GgufImage().array("k", type, count, elements).build();
      EXPECT_LT(peak_of(bytes), 100000U);
    }
    EXPECT_LT(peak_of(GgufImage().value("k", kGgufString, gguf_bytes(count)).build()), 100000U);
  }
}

TEST(GgufMemory, DamagedFilesStayWithinTheBound) {
  auto bytes = small_gguf().build();
  for (std::byte& byte : bytes) {
    byte ^= std::byte{0xff};
    EXPECT_LT(peak_of(bytes), 1000000U);
    byte ^= std::byte{0xff};
  }
}

}  // namespace
}  // namespace bankai::model
