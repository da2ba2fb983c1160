#include "model/gguf_copy.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/temp_dir.h"

namespace bankai::model {
namespace {

using bankai::testing::GgufImage;
using bankai::testing::TempDir;

const std::vector<GgufEdit> kProvenance = {{"bankai.patch.name", "sums"},
                                           {"bankai.patch.flips", std::uint32_t{78}}};
const std::vector<GgufEdit> kNoProvenance = {{"bankai.patch.name", {}}, {"bankai.patch.flips", {}}};

class GgufCopyTest : public ::testing::Test {
 protected:
  // The bytes of a copy of `image` under edits and replacement.
  std::string copy(const std::string& image, std::span<const GgufEdit> edits,
                   const GgufReplacement& replacement = nullptr) {
    const std::string path = folder_.path("copy.gguf");
    const auto bytes = std::as_bytes(std::span(image.data(), image.size()));
    const auto source = GgufFile::parse(bytes, "source");
    EXPECT_TRUE(source.ok()) << source.error().message;
    const Status status = copy_gguf(*source, edits, replacement, path, Overwrite::kReplace);
    EXPECT_TRUE(status.ok()) << status.error().message;
    return *read_file(path);
  }

  TempDir folder_;
};

std::string text_of(const GgufImage& image) {
  const auto bytes = image.build();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

GgufFile parse(const std::string& text) {
  auto file = GgufFile::parse(std::as_bytes(std::span(text.data(), text.size())), "copy");
  EXPECT_TRUE(file.ok()) << file.error().message;
  return std::move(file).value();
}

TEST_F(GgufCopyTest, WithoutChangesEveryByteStays) {
  GgufImage image = bankai::testing::small_gguf();
  for (const bool padded : {true, false}) {
    image.pads_last_tensor = padded;
    std::string original = text_of(image);
    const GgufFile file = parse(original);
    original[file.data_offset() + 60] = 'p';  // padding that is not zero
    EXPECT_EQ(copy(original, {}), original);
  }
}

TEST_F(GgufCopyTest, EditsCanBeUndoneToTheByte) {
  GgufImage image = bankai::testing::small_gguf();
  image.version = 2;
  image.pads_last_tensor = false;
  const std::string original = text_of(image);
  const std::string edited = copy(original, kProvenance);
  EXPECT_NE(edited, original);
  const GgufFile file = parse(edited);
  EXPECT_EQ(file.version(), 2U);
  EXPECT_EQ(*file.get_string("bankai.patch.name"), "sums");
  EXPECT_EQ(*file.get_unsigned("bankai.patch.flips"), 78U);
  EXPECT_EQ(file.metadata().size(), 17U);
  EXPECT_EQ(copy(edited, kNoProvenance), original);
}

TEST_F(GgufCopyTest, TypeIdsStayAsTheyWere) {
  // Prism's first id for PQ2_0.
  const std::string original = text_of(GgufImage().tensor("t", {4096}, 42, 4096 / 128 * 34));
  const std::string edited = copy(original, kProvenance);
  EXPECT_EQ(parse(edited).find_tensor("t")->type, kernels::TensorType::kPQ2_0);
  EXPECT_EQ(parse(edited).find_tensor("t")->type_id, 42U);
  EXPECT_EQ(copy(edited, kNoProvenance), original);
}

TEST_F(GgufCopyTest, TensorDataIsTheSameUnderEdits) {
  const std::string original = text_of(bankai::testing::small_gguf());
  const std::string edited = copy(original, kProvenance);
  const GgufFile before = parse(original);
  const GgufFile after = parse(edited);
  ASSERT_EQ(before.tensors().size(), after.tensors().size());
  for (std::size_t i = 0; i < before.tensors().size(); ++i) {
    const GgufTensor& a = before.tensors()[i];
    const GgufTensor& b = after.tensors()[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.dims, b.dims);
    EXPECT_TRUE(std::equal(a.data.begin(), a.data.end(), b.data.begin(), b.data.end())) << a.name;
  }
}

TEST_F(GgufCopyTest, AKeyThatIsThereKeepsItsPlace) {
  const std::string original = text_of(GgufImage().u32("a", 1).string("b", "old").u32("c", 3));
  const std::vector<GgufEdit> edits = {{"b", "a longer text than before"}, {"a", {}}, {"z", {}}};
  const std::string edited = copy(original, edits);
  EXPECT_EQ(edited, text_of(GgufImage().string("b", "a longer text than before").u32("c", 3)));
}

TEST_F(GgufCopyTest, OnlyReplacedTensorsChange) {
  const std::string original = text_of(bankai::testing::small_gguf());
  const GgufFile before = parse(original);
  const std::vector<std::byte> zeros(54);
  const auto replacement = [&](const GgufTensor& t) -> Result<std::span<const std::byte>> {
    if (t.name != "matrix.weight") return std::span<const std::byte>();
    return std::span<const std::byte>(zeros);
  };
  const std::string copied = copy(original, {}, replacement);
  std::string expected = original;
  expected.replace(before.find_tensor("matrix.weight")->offset, 54, 54, '\0');
  EXPECT_EQ(copied, expected);
  // With edits as well.
  const std::string edited = copy(original, kProvenance, replacement);
  EXPECT_EQ(copy(edited, kNoProvenance), expected);
}

TEST_F(GgufCopyTest, AFileCanReplaceItself) {
  const std::string path = folder_.path("model.gguf");
  const std::string original = text_of(bankai::testing::small_gguf());
  ASSERT_TRUE(write_file(path, original, Overwrite::kRefuse).ok());
  const auto source = GgufFile::open(path);
  ASSERT_TRUE(source.ok());
  EXPECT_EQ(copy_gguf(*source, {}, nullptr, path, Overwrite::kRefuse).error().code,
            ErrorCode::kUsage);
  ASSERT_TRUE(copy_gguf(*source, kProvenance, nullptr, path, Overwrite::kReplace).ok());
  EXPECT_EQ(*read_file(path), copy(original, kProvenance));
}

TEST_F(GgufCopyTest, AFailedReplacementLeavesNoFile) {
  const std::string original = text_of(bankai::testing::small_gguf());
  const GgufFile source = parse(original);
  const std::string path = folder_.path("none.gguf");
  const auto failing = [](const GgufTensor&) -> Result<std::span<const std::byte>> {
    return Error{ErrorCode::kMismatch, "no"};
  };
  const Status status = copy_gguf(source, {}, failing, path, Overwrite::kRefuse);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kMismatch);
  EXPECT_FALSE(GgufFile::open(path).ok());
}

TEST_F(GgufCopyTest, MetadataWithoutTensors) {
  std::string original = text_of(GgufImage().u32("a", 1));
  original.resize(64);  // padded
  EXPECT_EQ(copy(original, {}), original);
  EXPECT_EQ(
      copy(original, kProvenance).size() % 32,
      text_of(
          GgufImage().u32("a", 1).string("bankai.patch.name", "sums").u32("bankai.patch.flips", 78))
              .size() %
          32);
}

}  // namespace
}  // namespace bankai::model
