// The golden files of tests/golden/patch: bytes that never change.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "patch/patch_binary.h"
#include "patch/patch_file.h"
#include "patch/patch_json.h"

namespace bankai::patch {
namespace {

std::vector<std::filesystem::path> golden_files(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(BANKAI_SOURCE_DIR) +
                                                               "/tests/golden/patch/" + folder))
    files.push_back(entry.path());
  return files;
}

std::vector<std::byte> bytes_of(const std::filesystem::path& path) {
  const std::string content = read_file(path.string()).value();
  const auto bytes = std::as_bytes(std::span<const char>(content.data(), content.size()));
  return {bytes.begin(), bytes.end()};
}

TEST(GoldenPatches, BothFormatsHoldTheSamePatch) {
  std::size_t checked = 0;
  for (const std::filesystem::path& path : golden_files("ok")) {
    if (path.extension() != ".json") continue;
    const std::string text = read_file(path.string()).value();
    const Patch patch = read_patch(path.string()).value();
    std::filesystem::path binary = path;
    binary.replace_extension(".bkp");
    EXPECT_EQ(format_json(patch), text) << path;
    EXPECT_EQ(encode_binary(patch), bytes_of(binary)) << path;
    EXPECT_EQ(read_patch(binary.string()).value().flips, patch.flips) << path;
    ++checked;
  }
  EXPECT_GE(checked, 8U);
}

TEST(GoldenPatches, AreRefusedWithTheCodeInTheirName) {
  std::size_t checked = 0;
  for (const std::filesystem::path& path : golden_files("reject")) {
    const Result<Patch> patch = read_patch(path.string());
    ASSERT_FALSE(patch.ok()) << path;
    const std::string name = path.filename().string();
    EXPECT_EQ(name.substr(0, name.find('.')), error_code_name(patch.error().code))
        << patch.error().message;
    EXPECT_EQ(patch.error().message.find(path.string() + ": "), 0U) << patch.error().message;
    EXPECT_EQ(patch.error().message.find('\n'), std::string::npos) << patch.error().message;
    ++checked;
  }
  EXPECT_GE(checked, 80U);
}

TEST(GoldenPatches, CutAndChangedBinariesAreRefused) {
  for (const std::filesystem::path& path : golden_files("ok")) {
    if (path.extension() != ".bkp") continue;
    const std::vector<std::byte> file = bytes_of(path);
    for (std::size_t size = 0; size < file.size(); ++size)
      EXPECT_FALSE(decode_binary(std::span(file).first(size)).ok()) << path;
    for (std::size_t at = 0; at < file.size(); ++at)
      for (unsigned change = 1; change < 256; ++change) {
        std::vector<std::byte> changed = file;
        changed[at] ^= static_cast<std::byte>(change);
        EXPECT_FALSE(decode_binary(changed).ok()) << path << " byte " << at;
      }
  }
}

}  // namespace
}  // namespace bankai::patch
