#include "core/mapped_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace bankai {
namespace {

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class FileOnDisk : public ::testing::Test {
 protected:
  testing::TempDir folder_;

  std::string make(const std::string& name, const std::string& content) {
    std::ofstream(folder_.path(name), std::ios::binary) << content;
    return folder_.path(name);
  }
};

TEST_F(FileOnDisk, IsMappedWhole) {
  const std::string content("first\0second\n", 13);
  const std::string path = make("a", content);
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(text_of(file->bytes()), content);
  EXPECT_EQ(file->path(), path);
}

TEST_F(FileOnDisk, MayBeEmpty) {
  const auto file = MappedFile::open(make("empty", ""));
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->bytes().empty());
  EXPECT_EQ(read_file(folder_.path("empty")).value(), "");
}

TEST_F(FileOnDisk, StaysMappedWhenRemovedAndWhenMoved) {
  const std::string path = make("a", "content");
  MappedFile first = MappedFile::open(path).value();
  MappedFile second = MappedFile::open(make("b", "other")).value();
  std::filesystem::remove(path);
  second = std::move(first);
  const MappedFile third = std::move(second);
  EXPECT_EQ(text_of(third.bytes()), "content");
}

TEST_F(FileOnDisk, ReadsAgainWhatWasReleased) {
  const std::string content(100000, 'x');
  const auto file = MappedFile::open(make("a", content));
  for (const auto& [first, count] : {std::pair{0, 100000}, {5000, 3}, {4095, 50000}, {0, 0}}) {
    file->release(
        file->bytes().subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)));
    EXPECT_EQ(text_of(file->bytes()), content);
  }
}

TEST_F(FileOnDisk, WhatCannotBeMappedIsAnErrorWithItsPath) {
  for (const std::string& path :
       {folder_.path("missing"), folder_.path("."), std::string("/dev/null")}) {
    const auto file = MappedFile::open(path);
    ASSERT_FALSE(file.ok()) << path;
    EXPECT_EQ(file.error().code, ErrorCode::kIo);
    EXPECT_EQ(file.error().message.rfind(path + ": ", 0), 0U) << file.error().message;
  }
}

TEST_F(FileOnDisk, IsReadWhole) {
  std::string content;
  for (int i = 0; i < 100000; ++i) content += static_cast<char>(i % 251);
  EXPECT_EQ(read_file(make("big", content)).value(), content);
}

TEST_F(FileOnDisk, WhatCannotBeReadIsAnErrorWithItsPath) {
  for (const std::string& path : {folder_.path("missing"), folder_.path(".")}) {
    const auto content = read_file(path);
    ASSERT_FALSE(content.ok());
    EXPECT_EQ(content.error().code, ErrorCode::kIo);
    EXPECT_NE(content.error().message.find(path), std::string::npos);
  }
}

}  // namespace
}  // namespace bankai
