#include "packer/content.h"

#include <algorithm>

#include "core/check.h"
#include "core/format.h"

namespace bankai::packer {
namespace {

constexpr std::uint64_t kBlockElements = std::uint64_t{1} << 20U;
constexpr std::uint64_t kBlobBlockBytes = std::uint64_t{1} << 26U;

// Rows of a block of whole rows, a multiple of 8 so that blocks of bits start on a byte; 0 where
// rows are too long and blocks are pieces of kBlockElements.
std::uint64_t rows_per_block(const Content& content) {
  if (content.kind == ContentKind::kBlob || content.cols > kBlockElements) return 0;
  return std::max<std::uint64_t>(8, kBlockElements / content.cols / 8 * 8);
}

std::uint64_t piece_elements(const Content& content) {
  return content.kind == ContentKind::kBlob ? kBlobBlockBytes : kBlockElements;
}

std::uint64_t divide_up(std::uint64_t a, std::uint64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

bool element_size_fits(ContentKind kind, std::uint32_t bytes) {
  switch (kind) {
    case ContentKind::kBits:
    case ContentKind::kTrits:
    case ContentKind::kBlob: return bytes == 1;
    case ContentKind::kScales: return bytes == 2;
    case ContentKind::kNumbers: return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  }
  return false;
}

}  // namespace

Result<Content> make_content(ContentKind kind, std::uint64_t rows, std::uint64_t cols,
                             std::uint32_t element_bytes) {
  std::uint64_t elements = 0;
  if (__builtin_mul_overflow(rows, cols, &elements) || elements > kMaxElements)
    return make_error(ErrorCode::kBadInput, "%llu rows of %llu elements; at most 2^48 in all",
                      static_cast<unsigned long long>(rows), static_cast<unsigned long long>(cols));
  if (!element_size_fits(kind, element_bytes))
    return make_error(ErrorCode::kBadInput, "content of kind %u cannot have elements of %u bytes",
                      static_cast<unsigned>(kind), element_bytes);
  if (kind == ContentKind::kBlob && rows > 1)
    return make_error(ErrorCode::kBadInput, "bytes without structure in %llu rows instead of one",
                      static_cast<unsigned long long>(rows));
  return Content{kind, rows, cols, element_bytes};
}

std::uint64_t num_blocks(const Content& content) {
  if (content.elements() == 0) return 0;
  const std::uint64_t rows = rows_per_block(content);
  return rows != 0 ? divide_up(content.rows, rows)
                   : divide_up(content.elements(), piece_elements(content));
}

Block block_at(const Content& content, std::uint64_t index) {
  BANKAI_CHECK(index < num_blocks(content), "no such block");
  Block block;
  if (const std::uint64_t rows = rows_per_block(content); rows != 0) {
    block.first_row = index * rows;
    block.first_element = block.first_row * content.cols;
    block.rows = static_cast<std::size_t>(std::min(rows, content.rows - block.first_row));
    block.cols = static_cast<std::size_t>(content.cols);
    return block;
  }
  block.has_whole_rows = false;
  block.first_element = index * piece_elements(content);
  block.rows = 1;
  block.cols = static_cast<std::size_t>(
      std::min(piece_elements(content), content.elements() - block.first_element));
  return block;
}

ContentSource::ContentSource(const Content& content, std::span<const std::byte> logical)
    : content_(content), logical_(logical) {
  BANKAI_CHECK(logical.size() == content.logical_bytes(), "bytes that do not fit the content");
}

ContentSource::ContentSource(const Content& content, Reader reader)
    : content_(content), reader_(std::move(reader)) {}

std::span<const std::byte> ContentSource::read(const Block& block,
                                               std::vector<std::byte>& buffer) const {
  const auto bytes = static_cast<std::size_t>(content_.bytes_of(block.elements()));
  if (!reader_)
    return logical_.subspan(static_cast<std::size_t>(content_.bytes_of(block.first_element)),
                            bytes);
  buffer.resize(bytes);
  reader_(block, buffer);
  return buffer;
}

}  // namespace bankai::packer
