// The bytes of one coded content: the shared part, the sizes of the blocks, the blocks. A payload
// does not say which content and codec it belongs to; its container does, and has the checksum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/result.h"
#include "packer/codec.h"

namespace bankai::packer {

// Calls body(index) for every block, on at most `threads` threads; the error of the first block
// that has one.
Status for_each_block(std::uint64_t blocks, int threads,
                      const std::function<Status(std::uint64_t)>& body);

// The payload. kBadInput for logical bytes that are no valid content (a trit that is none of −1, 0,
// 1; an unused bit that is 1), naming the element. The same bytes for any number of threads.
// REQUIRES: codec.accepts(source.content()).
Result<std::vector<std::byte>> encode(const Codec& codec, const ContentSource& source,
                                      int threads = 1);

// The exact size of encode()'s payload, without building it.
Result<std::uint64_t> encoded_size(const Codec& codec, const ContentSource& source,
                                   int threads = 1);

struct EncodedPayload {
  bool is_given_up = false;  // the codec estimated more bytes than the limit
  std::uint64_t size = 0;
  std::vector<std::byte> bytes;  // if asked for
};
inline constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

// Both of the above, unless the codec estimates, before it encodes, more than `limit` bytes.
Result<EncodedPayload> encode_within(const Codec& codec, const ContentSource& source, int threads,
                                     bool with_payload, std::uint64_t limit);

class PayloadReader {
 public:
  // Checks the shared part and the sizes of all blocks; decodes none. `payload` outlives the
  // reader. kBadInput with the offset in the payload; kUnsupported if the codec does not take such
  // content. Memory is bounded by the size of the payload and of a row of the content.
  static Result<PayloadReader> open(const Codec& codec, const Content& content,
                                    std::span<const std::byte> payload);

  std::uint64_t num_blocks() const { return offsets_.size() - 1; }
  Block block(std::uint64_t index) const { return block_at(content_, index); }

  // Fills the logical bytes of one block; several threads may decode at once.
  // REQUIRES: logical.size() == content.bytes_of(block(index).elements()).
  Status decode_block(std::uint64_t index, std::span<std::byte> logical) const;

  // All blocks, on `threads` threads. Of several errors, that of the first damaged block.
  // REQUIRES: logical.size() == content.logical_bytes().
  Status decode(std::span<std::byte> logical, int threads = 1) const;

 private:
  PayloadReader() = default;

  Content content_;
  std::span<const std::byte> payload_;
  std::unique_ptr<ContentDecoder> decoder_;
  std::vector<std::uint64_t> offsets_;  // of the blocks in the payload, and its end
};

}  // namespace bankai::packer
