#include "packer/integer_array.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace bankai::packer {
namespace {

template <typename T, typename Unsigned>
void expect_folds(T value, Unsigned folded) {
  std::vector<std::byte> bytes(sizeof value), coded(sizeof value), back(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  fold_signs(bytes, sizeof value, coded);
  Unsigned found = 0;
  std::memcpy(&found, coded.data(), sizeof found);
  EXPECT_EQ(found, folded) << value;
  unfold_signs(coded, sizeof value, back);
  EXPECT_EQ(back, bytes) << value;
}

TEST(IntegerArray, FoldsByTheDefinition) {
  for (std::int32_t value = -300; value <= 300; ++value) {
    const auto folded = static_cast<std::uint32_t>(value >= 0 ? 2 * value : -2 * value - 1);
    expect_folds<std::int32_t, std::uint32_t>(value, folded);
    expect_folds<std::int64_t, std::uint64_t>(value, folded);
  }
  expect_folds<std::int32_t, std::uint32_t>(std::numeric_limits<std::int32_t>::min(), ~0U);
  expect_folds<std::int32_t, std::uint32_t>(std::numeric_limits<std::int32_t>::max(), ~0U - 1);
  expect_folds<std::int64_t, std::uint64_t>(std::numeric_limits<std::int64_t>::min(),
                                            ~std::uint64_t{0});
}

TEST(IntegerArray, WorksInPlace) {
  const std::vector<std::int32_t> values = {0, -1, 5, -70000, 1 << 30};
  std::vector<std::int32_t> changed = values;
  const auto bytes = std::as_writable_bytes(std::span(changed));
  fold_signs(bytes, 4, bytes);
  EXPECT_EQ(changed[1], 1);
  unfold_signs(bytes, 4, bytes);
  EXPECT_EQ(changed, values);
}

}  // namespace
}  // namespace bankai::packer
