#include "core/page_memory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/support/temp_dir.h"

namespace bankai {
namespace {

constexpr std::size_t kBytes = 100001;

TEST(PageMemory, IsZeroedWritableAndPageAligned) {
  for (const bool shared : {false, true}) {
    auto memory = shared ? PageMemory::allocate_shared(kBytes) : PageMemory::allocate(kBytes);
    ASSERT_TRUE(memory.ok()) << memory.error().message;
    const std::span<std::byte> bytes = memory->bytes();
    ASSERT_EQ(bytes.size(), kBytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 4096, 0U);
    EXPECT_TRUE(
        std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{}; }));
    bytes.back() = std::byte{7};
    const PageMemory moved = std::move(*memory);
    EXPECT_EQ(moved.bytes().back(), std::byte{7});
    EXPECT_EQ(moved.name().empty(), !shared);
  }
}

TEST(PageMemory, MayBeEmpty) {
  EXPECT_TRUE(PageMemory::allocate(0)->bytes().empty());
  const auto shared = PageMemory::allocate_shared(0);
  EXPECT_TRUE(PageMemory::map(shared->name(), 0)->bytes().empty());
}

TEST(PageMemory, AnotherProcessSeesWhatThisOneWrites) {
  const auto memory = PageMemory::allocate_shared(kBytes);
  ASSERT_TRUE(memory.ok());
  memory->bytes()[12345] = std::byte{42};
  const pid_t child = fork();
  if (child == 0) {
    const auto seen = PageMemory::map(memory->name(), kBytes);
    _exit(seen.ok() && seen->bytes()[12345] == std::byte{42} ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(PageMemory, OutlivesTheOneWhoAllocatedIt) {
  auto memory = PageMemory::allocate_shared(kBytes);
  ASSERT_TRUE(memory.ok());
  memory->bytes()[0] = std::byte{9};
  const std::string name = memory->name();
  const auto mapped = PageMemory::map(name, kBytes);
  ASSERT_TRUE(mapped.ok());
  *memory = PageMemory();
  EXPECT_EQ(mapped->bytes()[0], std::byte{9});
  EXPECT_FALSE(PageMemory::map(name, kBytes).ok()) << "the name is gone with its owner";
}

TEST(PageMemory, AnotherSizeOrNameIsAnError) {
  const auto memory = PageMemory::allocate_shared(kBytes);
  ASSERT_TRUE(memory.ok());
  const auto wrong_size = PageMemory::map(memory->name(), kBytes + 1);
  ASSERT_FALSE(wrong_size.ok());
  EXPECT_EQ(wrong_size.error().code, ErrorCode::kBadInput);
  const auto another = PageMemory::map(memory->name() + "1", kBytes);
  ASSERT_FALSE(another.ok());
  EXPECT_EQ(another.error().code, ErrorCode::kBadInput);
  const auto missing = PageMemory::map("/proc/self/fd/99999", 1);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kIo);
  EXPECT_FALSE(PageMemory::allocate(std::size_t{1} << 62U).ok());
  const testing::TempDir folder;
  const std::string pipe = folder.path("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const auto not_memory = PageMemory::map(pipe, 1);  // returns, although nobody writes
  ASSERT_FALSE(not_memory.ok());
  EXPECT_EQ(not_memory.error().code, ErrorCode::kBadInput);
}

}  // namespace
}  // namespace bankai
