#include "kernels/dispatch.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

#include "kernels/cpu_features.h"

namespace bankai::kernels {
namespace {

// Sets BANKAI_KERNEL for one test and restores it.
class KernelVariable {
 public:
  explicit KernelVariable(const char* value) {
    if (const char* old = std::getenv("BANKAI_KERNEL")) before_ = old;
    set(value);
  }
  ~KernelVariable() { set(before_.empty() ? nullptr : before_.c_str()); }
  KernelVariable(const KernelVariable&) = delete;
  KernelVariable& operator=(const KernelVariable&) = delete;

 private:
  static void set(const char* value) {
    if (value == nullptr)
      unsetenv("BANKAI_KERNEL");
    else
      setenv("BANKAI_KERNEL", value, 1);
  }
  std::string before_;
};

TEST(Dispatch, ScalarComesFirstAndNamesAreUnique) {
  std::set<std::string> names;
  for (const KernelTable* table : all_kernels()) EXPECT_TRUE(names.insert(table->name).second);
  EXPECT_STREQ(all_kernels().front()->name, "scalar");
  EXPECT_TRUE(is_supported(*all_kernels().front()));
  EXPECT_EQ(all_kernels().front()->required_features, 0U);
}

TEST(Dispatch, NoTableLacksAnOp) {
  constexpr std::size_t kFirst = offsetof(KernelTable, quantize_a8);
  constexpr std::size_t kNumOps = (sizeof(KernelTable) - kFirst) / sizeof(void (*)());
  for (const KernelTable* table : all_kernels()) {
    std::uintptr_t ops[kNumOps];
    std::memcpy(ops, reinterpret_cast<const char*>(table) + kFirst, sizeof ops);
    for (std::size_t i = 0; i < kNumOps; ++i) EXPECT_NE(ops[i], 0U) << table->name << " op " << i;
  }
}

TEST(Dispatch, AForcedTableIsTheOneUsed) {
  const KernelVariable unset(nullptr);
  const KernelTable* widest = nullptr;
  for (const KernelTable* table : all_kernels()) {
    const auto selected = select_kernel(table->name);
    if (!is_supported(*table)) {
      ASSERT_FALSE(selected.ok());
      EXPECT_EQ(selected.error().code, ErrorCode::kUsage);
      EXPECT_NE(selected.error().message.find("cannot run"), std::string::npos);
      continue;
    }
    ASSERT_TRUE(selected.ok());
    EXPECT_EQ(*selected, table);
    if (widest != nullptr) {
      EXPECT_NE((*selected)->int8_peak, widest->int8_peak);
    }
    widest = table;

    const KernelVariable forced(table->name);
    EXPECT_EQ(*select_kernel(""), table);
    EXPECT_EQ(*select_kernel("scalar"), all_kernels().front()) << "a name beats the variable";
  }
  EXPECT_EQ(*select_kernel(""), widest);
}

TEST(Dispatch, AnUnknownNameIsAUsageError) {
  const auto named = select_kernel("sse9");
  ASSERT_FALSE(named.ok());
  EXPECT_EQ(named.error().code, ErrorCode::kUsage);
  EXPECT_NE(named.error().message.find("'sse9'"), std::string::npos);
  EXPECT_NE(named.error().message.find("scalar"), std::string::npos) << "says which there are";
  const KernelVariable variable("sse9");
  const auto from_variable = select_kernel("");
  ASSERT_FALSE(from_variable.ok());
  EXPECT_EQ(from_variable.error().code, ErrorCode::kUsage);
}

TEST(Dispatch, ATableNeedsAllItsFeatures) {
  KernelTable table = *all_kernels().front();
  table.required_features = cpu_features();
  EXPECT_TRUE(is_supported(table));
  table.required_features |= 1U << 31U;
  EXPECT_FALSE(is_supported(table));
}

TEST(Dispatch, SaysWhichTablesThisMachineCannotTest) {
  std::string missing;
  for (const KernelTable* table : all_kernels())
    if (!is_supported(*table)) missing += std::string(" ") + table->name;
  if (!missing.empty()) GTEST_SKIP() << "not tested on this machine:" << missing;
}

}  // namespace
}  // namespace bankai::kernels
