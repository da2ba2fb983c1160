#include "kernels/panel_packing.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "kernels/half.h"
#include "kernels/panel_access.h"
#include "tests/kernels/kernel_checks.h"

namespace bankai::kernels {
namespace {

constexpr std::size_t kCols = 512;  // two blocks of the widest type

struct FileRows {
  std::vector<std::uint8_t> bytes;
  WeightRows rows;
};

// Any bytes, each row one byte off alignment and with a gap behind it. Scales that happen to be NaN
// or infinite are left out: their products with 0 have no sign to compare.
FileRows random_rows(Draws& draws, TensorType type, std::size_t rows) {
  const TensorTypeInfo& info = tensor_type_info(type);
  FileRows file;
  const std::size_t row_bytes = kCols / info.block_weights * info.block_bytes + 3;
  file.bytes.resize(1 + rows * row_bytes);
  for (std::uint8_t& byte : file.bytes) {
    byte = static_cast<std::uint8_t>(draws.bits());
    if ((byte & 0x7CU) == 0x7CU) byte ^= 0x40U;
  }
  file.rows = {type, file.bytes.data() + 1, rows, kCols, row_bytes};
  return file;
}

// `bytes` at an aligned address, filled with rubbish.
class Lines {
 public:
  explicit Lines(std::size_t bytes) : storage_(bytes + kLineBytes, 0xA5) {}
  std::uint8_t* data() {
    void* at = storage_.data();
    std::size_t space = storage_.size();
    return static_cast<std::uint8_t*>(
        std::align(kLineBytes, storage_.size() - kLineBytes, at, space));
  }

 private:
  std::vector<std::uint8_t> storage_;
};

template <typename Check>
void for_each_packed_type(Check check) {
  for (const TensorTypeInfo& info : kTensorTypes) {
    if (!panel_format_of(info.type)) continue;
    SCOPED_TRACE(std::string(info.name));
    check(info.type, *panel_format_of(info.type));
  }
}

TEST(PanelPacking, PanelsHoldTheWeightsOfTheRows) {
  Draws draws(71);
  for_each_packed_type([&](TensorType type, PanelFormat format) {
    for (const std::size_t rows : {1U, 31U, 32U, 33U, 70U}) {
      const FileRows file = random_rows(draws, type, rows);
      Lines lines(num_panels(rows) * panel_bytes(format, kCols));
      const Panels panels{format, lines.data(), rows, kCols};
      pack_panels(file.rows, 0, num_panels(rows), lines.data());
      std::vector<float> widened(kCols);
      for (std::size_t row = 0; row < rows; ++row) {
        widen_row(file.rows, row, widened.data());
        for (std::size_t col = 0; col < kCols; ++col) {
          const float scale = f16_to_float(panel_scale(panels, row, col));
          ASSERT_EQ(static_cast<float>(panel_weight(panels, row, col)) * scale, widened[col])
              << "row " << row << " of " << rows << ", column " << col;
        }
      }
    }
  });
}

TEST(PanelPacking, RowsThatDoNotExistAreZero) {
  Draws draws(72);
  for_each_packed_type([&](TensorType type, PanelFormat format) {
    const FileRows all = random_rows(draws, type, kPanelRows);
    WeightRows one = all.rows;
    one.rows = 1;
    const std::size_t bytes = panel_bytes(format, kCols);
    Lines full(bytes);
    Lines part(bytes);
    pack_panels(all.rows, 0, 1, full.data());
    pack_panels(one, 0, 1, part.data());
    // A byte is either that of the full panel, for row 0, or zero.
    std::size_t num_equal = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      const std::size_t in_line = i % kLineBytes;
      const std::size_t line_in_run = i / kLineBytes % panel_format_info(format).run_lines;
      const bool is_quad = format == PanelFormat::kInt8 && line_in_run > 0;
      const bool is_row_0 = is_quad ? in_line < 4 && line_in_run % 2 == 1 : in_line < 2;
      ASSERT_EQ(part.data()[i], is_row_0 ? full.data()[i] : 0) << i;
      num_equal += is_row_0 ? 1U : 0U;
    }
    EXPECT_GT(num_equal, 0U);
  });
}

TEST(PanelPacking, PanelsMayBePackedOneByOne) {
  Draws draws(73);
  for_each_packed_type([&](TensorType type, PanelFormat format) {
    const FileRows file = random_rows(draws, type, 70);
    const std::size_t bytes = panel_bytes(format, kCols);
    Lines together(3 * bytes);
    pack_panels(file.rows, 0, 3, together.data());
    Lines alone(3 * bytes);
    for (const std::size_t panel : {2U, 0U, 1U})
      pack_panels(file.rows, panel, 1, alone.data() + panel * bytes);
    EXPECT_EQ(std::memcmp(together.data(), alone.data(), 3 * bytes), 0);
  });
}

TEST(PanelPacking, FloatTypesHaveNoPanels) {
  for (const TensorTypeInfo& info : kTensorTypes)
    EXPECT_EQ(panel_format_of(info.type).has_value(), info.block_weights > 1) << info.name;
}

}  // namespace
}  // namespace bankai::kernels
