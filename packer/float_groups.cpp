#include "packer/float_groups.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "model/parallel.h"

namespace bankai::packer {
namespace {

// The numbers of a tensor as integers of their width.
class Floats {
 public:
  explicit Floats(const TensorShape& shape)
      : width_(kernels::tensor_type_info(shape.type).block_bytes),
        sign_(std::uint32_t{1} << (8 * width_ - 1)) {}

  std::size_t width() const { return width_; }
  std::uint32_t sign() const { return sign_; }
  std::uint32_t load(const std::byte* numbers, std::uint64_t index) const {
    std::uint32_t value = 0;
    std::memcpy(&value, numbers + index * width_, width_);
    return value;
  }
  void store(std::uint32_t value, std::byte* numbers, std::uint64_t index) const {
    std::memcpy(numbers + index * width_, &value, width_);
  }

 private:
  std::size_t width_;
  std::uint32_t sign_;
};

// The magnitude of a group: that of its first number other than +0.
std::uint32_t magnitude_of(const Floats& floats, const std::byte* numbers, std::uint64_t first,
                           std::size_t cols) {
  for (std::size_t i = 0; i < cols; ++i)
    if (const std::uint32_t value = floats.load(numbers, first + i); value != 0)
      return value & ~floats.sign();
  return 0;
}

bool is_group(const Floats& floats, const std::byte* numbers, std::uint64_t first,
              const TensorSplit& split) {
  const std::size_t cols = float_group_cols(split);
  const std::uint32_t magnitude = magnitude_of(floats, numbers, first, cols);
  for (std::size_t i = 0; i < cols; ++i) {
    const std::uint32_t value = floats.load(numbers, first + i);
    if ((value & ~floats.sign()) == magnitude) continue;
    if (value != 0 || split.form == TensorForm::kSignGroups) return false;
  }
  return true;
}

bool has_groups(const TensorShape& shape, std::span<const std::byte> data, int threads,
                const TensorSplit& split) {
  const Floats floats(shape);
  const std::size_t cols = float_group_cols(split);
  if (shape.cols % cols != 0) return false;
  std::atomic<bool> all = true;
  model::parallel_for(threads, static_cast<std::size_t>(shape.rows * shape.cols / cols),
                      [&](IndexRange range) {
                        for (std::size_t group = range.begin; group < range.end && all; ++group)
                          if (!is_group(floats, data.data(), std::uint64_t{group} * cols, split))
                            all = false;
                      });
  return all;
}

}  // namespace

std::optional<TensorSplit> find_float_groups(const TensorShape& shape,
                                             std::span<const std::byte> data, int threads) {
  for (const bool is_short : {false, true})
    for (const TensorForm form : {TensorForm::kSignGroups, TensorForm::kTritGroups}) {
      const TensorSplit split{.form = form, .has_short_groups = is_short};
      if (has_groups(shape, data, threads, split)) return split;
    }
  return std::nullopt;
}

void read_magnitudes(const TensorShape& shape, const TensorSplit& split,
                     std::span<const std::byte> data, FloatRun groups,
                     std::span<std::byte> logical) {
  const Floats floats(shape);
  const std::size_t cols = float_group_cols(split);
  for (std::uint64_t i = 0; i < groups.count; ++i)
    floats.store(magnitude_of(floats, data.data(), (groups.first + i) * cols, cols), logical.data(),
                 i);
}

void write_magnitudes(const TensorShape& shape, const TensorSplit& split,
                      std::span<const std::byte> logical, FloatRun groups,
                      std::span<std::byte> data) {
  const Floats floats(shape);
  const std::size_t cols = float_group_cols(split);
  for (std::uint64_t i = 0; i < groups.count; ++i)
    for (std::size_t col = 0; col < cols; ++col)
      floats.store(floats.load(logical.data(), i), data.data(), (groups.first + i) * cols + col);
}

void read_signs(const TensorShape& shape, const TensorSplit& split, std::span<const std::byte> data,
                FloatRun elements, std::span<std::byte> logical) {
  const Floats floats(shape);
  const bool is_bits = split.form == TensorForm::kSignGroups;
  if (is_bits) std::fill(logical.begin(), logical.end(), std::byte{0});
  for (std::uint64_t i = 0; i < elements.count; ++i) {
    const std::uint32_t value = floats.load(data.data(), elements.first + i);
    const bool is_plus = (value & floats.sign()) == 0;
    if (is_bits)
      logical[i / 8] |= static_cast<std::byte>((is_plus ? 1U : 0U) << (i % 8));
    else
      logical[i] = value == 0 ? std::byte{0} : is_plus ? std::byte{1} : std::byte{0xff};
  }
}

void write_signs(const TensorShape& shape, const TensorSplit& split,
                 std::span<const std::byte> logical, FloatRun elements, std::span<std::byte> data) {
  const Floats floats(shape);
  for (std::uint64_t i = 0; i < elements.count; ++i) {
    bool is_plus = false;
    bool is_zero = false;
    if (split.form == TensorForm::kSignGroups) {
      is_plus = (std::to_integer<unsigned>(logical[i / 8]) >> (i % 8) & 1U) != 0;
    } else {
      is_plus = logical[i] == std::byte{1};
      is_zero = logical[i] == std::byte{0};
    }
    const std::uint32_t magnitude = floats.load(data.data(), elements.first + i) & ~floats.sign();
    const std::uint32_t value = is_zero ? 0 : is_plus ? magnitude : magnitude | floats.sign();
    floats.store(value, data.data(), elements.first + i);
  }
}

}  // namespace bankai::packer
