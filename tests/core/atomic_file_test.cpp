#include "core/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/mapped_file.h"
#include "tests/support/temp_dir.h"

namespace bankai {
namespace {

class AtomicFileTest : public ::testing::Test {
 protected:
  testing::TempDir folder_;
  const std::string path_ = folder_.path("out.bin");

  std::size_t num_files() const {
    const std::filesystem::directory_iterator files(folder_.path(""));
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }
  void put(const std::string& content) const { std::ofstream(path_) << content; }
  std::string content() const { return read_file(path_).value(); }
};

TEST_F(AtomicFileTest, AppearsWithTheCommitAndNotBefore) {
  AtomicFile file = AtomicFile::create(path_, Overwrite::kRefuse).value();
  ASSERT_TRUE(file.write("one ").ok());
  ASSERT_TRUE(file.write("two").ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
  ASSERT_TRUE(file.commit().ok());
  EXPECT_EQ(content(), "one two");
  EXPECT_EQ(num_files(), 1U);
}

TEST_F(AtomicFileTest, LeavesNothingWithoutACommit) {
  put("old");
  {
    AtomicFile file = AtomicFile::create(path_, Overwrite::kReplace).value();
    ASSERT_TRUE(file.write("new").ok());
    EXPECT_EQ(num_files(), 2U);
  }
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(num_files(), 1U);
}

TEST_F(AtomicFileTest, AMovedFileIsWrittenOnce) {
  AtomicFile first = AtomicFile::create(path_, Overwrite::kRefuse).value();
  ASSERT_TRUE(first.write("a").ok());
  AtomicFile second = std::move(first);
  ASSERT_TRUE(second.write("b").ok());
  ASSERT_TRUE(second.commit().ok());
  EXPECT_EQ(content(), "ab");
  EXPECT_EQ(num_files(), 1U);
}

TEST_F(AtomicFileTest, ReplacesOnlyWhenAsked) {
  put("old");
  const Status refused = write_file(path_, "new", Overwrite::kRefuse);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
  EXPECT_EQ(content(), "old");
  ASSERT_TRUE(write_file(path_, "new", Overwrite::kReplace).ok());
  EXPECT_EQ(content(), "new");
  EXPECT_EQ(num_files(), 1U);
}

TEST_F(AtomicFileTest, AnEmptyFileIsAFile) {
  ASSERT_TRUE(write_file(path_, "", Overwrite::kRefuse).ok());
  EXPECT_EQ(content(), "");
}

TEST_F(AtomicFileTest, HasThePermissionsOfAnOrdinaryFile) {
  const mode_t before = ::umask(027);
  const Status status = write_file(path_, "x", Overwrite::kRefuse);
  ::umask(before);
  ASSERT_TRUE(status.ok());
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0640U);
}

TEST_F(AtomicFileTest, AFolderThatIsNotThereIsAnError) {
  const Status status = write_file(folder_.path("missing/out"), "x", Overwrite::kReplace);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_NE(status.error().message.find("missing/out"), std::string::npos);
}

// Renaming onto these would put a file in the place of a device for everybody, or fail late.
TEST_F(AtomicFileTest, NeverTakesThePlaceOfADeviceOrAFolder) {
  for (const std::string& path : {std::string("/dev/null"), folder_.path(".")}) {
    const auto file = AtomicFile::create(path, Overwrite::kReplace);
    ASSERT_FALSE(file.ok()) << path;
    EXPECT_EQ(file.error().code, ErrorCode::kUsage);
  }
}

TEST_F(AtomicFileTest, AFullDiskLeavesTheOldFile) {
  put("old");
  // A limit on the size of files stands in for the disk; past it a write fails with EFBIG.
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const Status status = write_file(path_, std::string(5000, 'x'), Overwrite::kReplace);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(num_files(), 1U);
}

TEST(WriteFile, ADashIsStandardOutput) {
  ::testing::internal::CaptureStdout();
  const Status status = write_file("-", std::string("a\0b\n", 4), Overwrite::kRefuse);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), std::string("a\0b\n", 4));
  EXPECT_TRUE(status.ok());
}

}  // namespace
}  // namespace bankai
