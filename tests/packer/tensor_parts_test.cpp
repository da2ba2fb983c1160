#include "packer/tensor_parts.h"

#include <gtest/gtest.h>

#include "core/counter_rng.h"
#include "packer/payload.h"
#include "packer/tensor_coding.h"
#include "packer/tensor_groups.h"

namespace bankai::packer {
namespace {

using kernels::TensorType;

TensorShape shape_of(TensorType type, std::uint64_t rows, std::uint64_t cols) {
  const std::vector<std::uint64_t> dims = {cols, rows};
  return tensor_shape(type, dims).value();
}

std::vector<std::byte> random_data(const TensorShape& shape, std::uint64_t seed) {
  const CounterRng rng(seed);
  std::vector<std::byte> data(static_cast<std::size_t>(shape.bytes));
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(rng.bits(i));
  return data;
}

// Groups of trits: two-bit codes of 0 to 2, or base-3 bytes as writers make them.
std::vector<std::byte> ternary_data(const TensorShape& shape, std::uint64_t seed) {
  std::vector<std::byte> data = random_data(shape, seed);
  const GroupIndex all(shape, {}, data);
  const CounterRng rng(seed, 1);
  std::vector<std::byte> trits(static_cast<std::size_t>(shape.rows * shape.cols));
  for (std::size_t i = 0; i < trits.size(); ++i)
    trits[i] = static_cast<std::byte>(rng.below(i, 3) - 1);
  EXPECT_TRUE(write_codes(shape, TensorForm::kTrits, all, trits, 0, all.kept(), data).ok());
  return data;
}

// Makes every `step`-th group one of zeros.
void clear_groups(const TensorShape& shape, std::size_t step, std::vector<std::byte>& data) {
  const GroupLayout layout = group_layout(shape.type);
  std::vector<std::byte> cleared = data;
  for (std::size_t at = 0; at < cleared.size(); at += layout.bytes)
    cleared[at + layout.scale_offset] = cleared[at + layout.scale_offset + 1] = std::byte{0};
  write_zero_groups(shape, {TensorForm::kCodes, true}, cleared);
  for (std::size_t at = 0; at < data.size(); at += step * layout.bytes)
    std::copy_n(cleared.begin() + static_cast<std::ptrdiff_t>(at), layout.bytes,
                data.begin() + static_cast<std::ptrdiff_t>(at));
}

CodedTensor expect_identity(const TensorShape& shape, const std::vector<std::byte>& data) {
  const CodedTensor coded = code_tensor(shape, data, {.threads = 2, .with_payload = true}).value();
  std::vector<StoredPart> stored;
  std::uint64_t raw = 0;
  for (const CodedPart& part : coded.parts) {
    EXPECT_EQ(part.bytes, part.payload.size());
    raw += part.part.raw_bytes;
    stored.push_back({part.codec, part.payload});
  }
  EXPECT_EQ(raw, shape.bytes);
  std::vector<std::byte> again(data.size());
  const Status status = decode_tensor(shape, coded.split, stored, again, 2);
  EXPECT_TRUE(status.ok()) << status.error().message;
  EXPECT_TRUE(again == data);
  const CodedTensor sizes =
      packed_tensor_size(shape.type, std::vector<std::uint64_t>{shape.cols, shape.rows}, data, 1)
          .value();
  EXPECT_EQ(sizes.bytes(), coded.bytes());
  EXPECT_EQ(sizes.split, coded.split);
  return coded;
}

TEST(TensorParts, RandomBytesOfEveryTypeComeBack) {
  for (const kernels::TensorTypeInfo& info : kernels::kTensorTypes)
    for (const std::uint64_t rows : {1U, 3U, 40U}) {
      SCOPED_TRACE(info.name);
      const TensorShape shape = shape_of(info.type, rows, 256);
      expect_identity(shape, random_data(shape, rows));
    }
}

TEST(TensorParts, TernaryTensorsBecomeTrits) {
  for (const TensorType type : {TensorType::kTQ1_0, TensorType::kTQ2_0, TensorType::kI2_S,
                                TensorType::kQ2_0, TensorType::kPQ2_0}) {
    const TensorShape shape = shape_of(type, 37, 768);
    const CodedTensor coded = expect_identity(shape, ternary_data(shape, 1));
    EXPECT_EQ(coded.split.form, TensorForm::kTrits);
  }
}

TEST(TensorParts, CodesThatAreNoTritsStayCodes) {
  for (const TensorType type : {TensorType::kTQ2_0, TensorType::kI2_S, TensorType::kQ2_0}) {
    const TensorShape shape = shape_of(type, 50, 256);
    std::vector<std::byte> data = ternary_data(shape, 1);
    data[group_layout(type).codes_offset] = std::byte{0xff};
    EXPECT_EQ(expect_identity(shape, data).split.form, TensorForm::kCodes);
  }
}

// A base-3 byte that no writer makes, though it has the digits of another.
TEST(TensorParts, BytesThatDoNotComeBackStayBytes) {
  const TensorShape shape = shape_of(TensorType::kTQ1_0, 5, 256);
  std::vector<std::byte> data = ternary_data(shape, 1);
  data[group_layout(shape.type).codes_offset] = std::byte{1};
  EXPECT_EQ(expect_identity(shape, data).split.form, TensorForm::kBytes);
}

TEST(TensorParts, ZeroGroupsAreLeftOut) {
  for (const TensorType type : {TensorType::kQ1_0, TensorType::kTQ2_0, TensorType::kTQ1_0,
                                TensorType::kQ2_0, TensorType::kQ8_0}) {
    SCOPED_TRACE(static_cast<int>(type));
    const TensorShape shape = shape_of(type, 64, 1024);
    std::vector<std::byte> data =
        kernels::tensor_type_info(type).block_weights == 32 || type == TensorType::kQ1_0
            ? random_data(shape, 3)
            : ternary_data(shape, 3);
    const std::uint64_t full = expect_identity(shape, data).bytes();
    clear_groups(shape, 2, data);
    const CodedTensor half = expect_identity(shape, data);
    EXPECT_LT(half.bytes(), full * 6 / 10);
    if (type == TensorType::kQ1_0) {
      EXPECT_TRUE(half.split.skips_zero_groups);
    }
    clear_groups(shape, 1, data);
    EXPECT_LT(expect_identity(shape, data).bytes(), 200U);
  }
}

// Without zero groups the others lose their columns. Of a large matrix that alone is tried, unless
// its rows or columns are alike.
TEST(TensorParts, ZeroGroupsStayWhereThePlacesOfOthersTellMore) {
  const TensorShape shape = shape_of(TensorType::kQ1_0, 1024, 1024);
  const GroupLayout layout = group_layout(shape.type);
  std::vector<std::byte> noise = random_data(shape, 4);
  std::vector<std::byte> alike = noise;  // a row's signs times a pattern, one for each group
  const CounterRng patterns(5);
  for (std::size_t group = 0; group < 8192; ++group)
    for (std::size_t i = 0; i < 16; ++i)
      alike[group * layout.bytes + layout.codes_offset + i] =
          noise[group / 8 * 8 * layout.bytes + layout.codes_offset + i] ^
          static_cast<std::byte>(patterns.bits(group % 8 * 16 + i));
  clear_groups(shape, 5, noise);
  clear_groups(shape, 5, alike);
  const CodedTensor of_noise = expect_identity(shape, noise);
  EXPECT_TRUE(of_noise.split.skips_zero_groups);
  EXPECT_EQ(of_noise.parts.back().bytes, (8192U - 1639U) * 16U);
  const CodedTensor of_alike = expect_identity(shape, alike);
  EXPECT_FALSE(of_alike.split.skips_zero_groups);
  EXPECT_LT(of_alike.parts.back().bytes, of_noise.parts.back().bytes / 10 * 7);
}

// Numbers of one magnitude per `group` columns, with signs or trits in front.
std::vector<std::byte> grouped_floats(const TensorShape& shape, std::size_t group,
                                      bool is_ternary) {
  const CounterRng rng(7, group);
  const std::size_t width = kernels::tensor_type_info(shape.type).block_bytes;
  std::vector<std::byte> data(static_cast<std::size_t>(shape.bytes));
  for (std::size_t i = 0; i < data.size() / width; ++i) {
    const std::uint64_t kind = rng.below(i, is_ternary ? 3 : 2);
    if (kind == 2) continue;
    for (std::size_t byte = 0; byte < width; ++byte)
      data[i * width + byte] =
          static_cast<std::byte>(rng.bits(1000000 + i / group * 4 + byte) & 0x3fU);
    data[(i + 1) * width - 1] |= static_cast<std::byte>(kind << 7U);
  }
  return data;
}

TEST(TensorParts, FloatsOfOneMagnitudePerGroupAreSignsAndScales) {
  for (const TensorType type : {TensorType::kF32, TensorType::kF16, TensorType::kBF16})
    for (const std::size_t group : {128U, 64U})
      for (const bool is_ternary : {false, true}) {
        const TensorShape shape = shape_of(type, 50, 640);
        std::vector<std::byte> data = grouped_floats(shape, group, is_ternary);
        const CodedTensor coded = expect_identity(shape, data);
        EXPECT_EQ(coded.split.form, is_ternary ? TensorForm::kTritGroups : TensorForm::kSignGroups);
        EXPECT_EQ(coded.split.has_short_groups, group == 64);
        const std::uint64_t weights = shape.rows * shape.cols;
        const std::uint64_t scales = weights / group * kernels::tensor_type_info(type).block_bytes;
        EXPECT_LT(coded.bytes(), weights / (is_ternary ? 4 : 8) + scales + 200);
        data[4321] ^= std::byte{1};
        EXPECT_EQ(expect_identity(shape, data).split.form, TensorForm::kNumbers);
      }
}

// A zero with a sign is no trit, but comes back.
TEST(TensorParts, NegativeZerosComeBack) {
  const TensorShape shape = shape_of(TensorType::kF16, 50, 640);
  std::vector<std::byte> data = grouped_floats(shape, 128, true);
  std::fill_n(data.begin(), 256, std::byte{0});
  data[3] = std::byte{0x80};
  expect_identity(shape, data);
}

// Signs under a scale of 0 mean nothing, but are part of the file.
TEST(TensorParts, ZeroScalesWithOtherCodesComeBack) {
  const TensorShape shape = shape_of(TensorType::kQ1_0, 64, 1024);
  std::vector<std::byte> data = random_data(shape, 3);
  clear_groups(shape, 2, data);
  data[group_layout(shape.type).codes_offset] = std::byte{1};
  EXPECT_FALSE(expect_identity(shape, data).split.skips_zero_groups);
}

TEST(TensorParts, FormsThatATypeLacksAreRefused) {
  std::size_t allowed = 0;
  for (const kernels::TensorTypeInfo& info : kernels::kTensorTypes)
    for (unsigned form = 0; form <= 6; ++form)
      for (const bool skips : {false, true}) {
        const auto parts =
            parts_of(shape_of(info.type, 2, 256), {static_cast<TensorForm>(form), skips}, 1);
        if (parts.ok())
          ++allowed;
        else
          EXPECT_EQ(parts.error().code, ErrorCode::kBadInput);
      }
  // 10 types as bytes, 3 as numbers and in groups of either kind; Q1_0, Q8_0 twice each; TQ1_0
  // twice, I2_S twice; three types of two bits four times.
  EXPECT_EQ(allowed, 10U + 9U + 4U + 4U + 12U);
}

TEST(TensorParts, CodesBeyondTheTypeAreRefused) {
  const TensorShape shape = shape_of(TensorType::kQ2_0, 1, 64);
  std::vector<std::byte> scales(2);
  std::vector<std::byte> codes(64);
  const Codec* raw = find_codec("bytes.raw");
  std::vector<std::byte> data(static_cast<std::size_t>(shape.bytes));
  const auto decode = [&] {
    const std::vector<StoredPart> parts = {{raw, scales}, {raw, codes}};
    return decode_tensor(shape, {TensorForm::kCodes, false}, parts, data, 1);
  };
  EXPECT_TRUE(decode().ok());
  codes[63] = std::byte{4};
  EXPECT_EQ(decode().error().code, ErrorCode::kBadInput);
}

}  // namespace
}  // namespace bankai::packer
