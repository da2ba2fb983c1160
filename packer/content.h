// What a codec stores: the logical content of a tensor (or of a part of one, such as its scales),
// and its division into blocks, which are coded independently of each other so that they can be
// decoded in parallel. The division follows from the shape alone; docs/formats/codecs.md has it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/result.h"

namespace bankai::packer {

// The numbers stand in files. The logical bytes of each kind, in row-major order:
enum class ContentKind : std::uint8_t {
  kBits = 1,   // element i is bit i mod 8 of byte i / 8, least significant first; unused bits are 0
  kTrits = 2,  // one byte each: 0xff, 0, 1 for −1, 0, +1
  kScales = 3,   // half precision or bfloat16 numbers, two bytes each
  kNumbers = 4,  // numbers of 1, 2, 4 or 8 bytes: int8, fp8, fp16, bf16, float, double
  kBlob = 5,     // bytes without structure; one row
};

inline constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 48U;

struct Content {
  ContentKind kind = ContentKind::kBlob;
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  std::uint32_t element_bytes = 1;  // 1 for bits and trits

  std::uint64_t elements() const { return rows * cols; }
  std::uint64_t logical_bytes() const { return bytes_of(elements()); }
  // The logical bytes of `count` elements.
  std::uint64_t bytes_of(std::uint64_t count) const {
    return kind == ContentKind::kBits ? (count + 7) / 8 : count * element_bytes;
  }
};

// kBadInput if the product of rows and columns is beyond kMaxElements, or the element size does not
// belong to the kind.
Result<Content> make_content(ContentKind kind, std::uint64_t rows, std::uint64_t cols,
                             std::uint32_t element_bytes = 1);

// A run of elements that starts on a byte of the logical content.
struct Block {
  std::uint64_t first_row = 0;
  std::uint64_t first_element = 0;
  std::size_t rows = 0;
  std::size_t cols = 0;
  bool has_whole_rows = true;  // else a piece of the elements in order, seen as one row

  std::size_t elements() const { return rows * cols; }
};

// Number of blocks; 0 without elements.
std::uint64_t num_blocks(const Content& content);
// REQUIRES: index < num_blocks(content).
Block block_at(const Content& content, std::uint64_t index);

// Where an encoder finds the logical bytes, block by block, so that a tensor need not be in memory
// as a whole. Blocks are asked for in any order, by several threads at once, and more than once.
class ContentSource {
 public:
  using Reader = std::function<void(const Block&, std::span<std::byte> logical)>;

  // REQUIRES: `logical` holds content.logical_bytes() and outlives the source.
  ContentSource(const Content& content, std::span<const std::byte> logical);
  // `reader` fills a block's logical bytes.
  ContentSource(const Content& content, Reader reader);

  const Content& content() const { return content_; }
  // The block's logical bytes: in place, or in `buffer`.
  std::span<const std::byte> read(const Block& block, std::vector<std::byte>& buffer) const;

 private:
  Content content_;
  std::span<const std::byte> logical_;
  Reader reader_;
};

}  // namespace bankai::packer
