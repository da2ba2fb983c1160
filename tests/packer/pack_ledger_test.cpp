#include "packer/pack_ledger.h"

#include <gtest/gtest.h>

#include "tests/packer/pack_trial.h"
#include "tests/support/gguf_builder.h"

namespace bankai::packer {
namespace {

void expect_same(const PackLedger& a, const PackLedger& b) {
  EXPECT_EQ(a.total_bytes, b.total_bytes);
  EXPECT_EQ(a.model_bytes, b.model_bytes);
  ASSERT_EQ(a.entries.size(), b.entries.size());
  for (std::size_t i = 0; i < a.entries.size(); ++i) {
    SCOPED_TRACE(a.entries[i].name);
    EXPECT_EQ(a.entries[i].name, b.entries[i].name);
    EXPECT_EQ(a.entries[i].codec, b.entries[i].codec);
    EXPECT_EQ(a.entries[i].bytes, b.entries[i].bytes);
    EXPECT_EQ(a.entries[i].raw_bytes, b.entries[i].raw_bytes);
    EXPECT_EQ(a.entries[i].entropy_bytes, b.entries[i].entropy_bytes);
  }
}

TEST(PackLedger, WritingMeasuringAndReadingAgreeAndAddUp) {
  const std::vector<std::byte> model = testing::small_gguf().build();
  const auto file = model::GgufFile::parse(model, "model");
  ASSERT_TRUE(file.ok());
  const auto source = pack_source(*file);
  ASSERT_TRUE(source.ok());
  PackOptions options;
  options.patches.push_back({"p", bytes_of_text("content")});
  const testing::TempDir folder;
  const std::string path = folder.path("pack");
  const auto written = write_pack(*source, options, path, Overwrite::kRefuse);
  ASSERT_TRUE(written.ok()) << written.error().message;
  const auto pack = PackFile::open(path);
  ASSERT_TRUE(pack.ok()) << pack.error().message;
  const auto read = audit_pack(*pack, 2, {});
  ASSERT_TRUE(read.ok()) << read.error().message;
  expect_same(*written, *read);
  expect_same(*written, measure_pack(*source, options).value());

  std::uint64_t sum = 0;
  std::uint64_t raw = 0;
  for (const LedgerEntry& entry : written->entries) {
    sum += entry.bytes;
    raw += entry.raw_bytes;
  }
  EXPECT_EQ(sum, written->total_bytes);
  EXPECT_EQ(sum, pack->total_bytes());
  std::uint64_t padding = 0;
  for (const GgufLayout::Gap& gap : pack->layout().gaps(model.size())) padding += gap.bytes;
  EXPECT_EQ(raw + padding, model.size() + 7);  // the patch is in no model file
}

TEST(PackLedger, PatchNamesAreChecked) {
  const std::vector<std::byte> model = testing::GgufImage().build();
  const auto file = model::GgufFile::parse(model, "model");
  const auto source = pack_source(*file);
  for (const std::vector<std::string>& names :
       {std::vector<std::string>{"a", "a"}, {""}, {"a\nb"}, {std::string(65, 'x')}}) {
    PackOptions options;
    for (const std::string& name : names) options.patches.push_back({name, {}});
    const auto ledger = measure_pack(*source, options);
    ASSERT_FALSE(ledger.ok());
    EXPECT_EQ(ledger.error().code, ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace bankai::packer
