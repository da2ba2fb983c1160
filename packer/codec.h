// A codec: one way to write the logical content of a tensor, with what is needed to choose it, to
// predict its size and to decode it block by block. The list of all of them: codec_table.h; how
// blocks make a payload: payload.h; the bytes: docs/formats/codecs.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "packer/content.h"

namespace bankai::packer {

// Encodes the blocks of one content. Thread-safe; equal input gives equal bytes, whatever the
// machine and the number of threads.
class ContentEncoder {
 public:
  ContentEncoder() = default;
  ContentEncoder(const ContentEncoder&) = delete;
  ContentEncoder& operator=(const ContentEncoder&) = delete;
  virtual ~ContentEncoder() = default;

  // What all blocks share: stands once in front of them. Empty unless the codec has_shared_part().
  virtual std::span<const std::byte> shared_part() const { return {}; }
  // About what all blocks take, if that is known before encoding them. What is stored beside the
  // elements is not counted.
  virtual std::optional<std::uint64_t> estimated_bytes() const { return std::nullopt; }
  // The size of the encoded block; appends it to `out` unless that is null.
  virtual std::uint64_t encode(const Block& block, std::span<const std::byte> logical,
                               std::vector<std::byte>* out) const = 0;
};

// Decodes the blocks of one content. Thread-safe.
class ContentDecoder {
 public:
  ContentDecoder() = default;
  ContentDecoder(const ContentDecoder&) = delete;
  ContentDecoder& operator=(const ContentDecoder&) = delete;
  virtual ~ContentDecoder() = default;

  // Fills `logical`, the block's logical bytes, from exactly `encoded`. Whatever these bytes are,
  // the result is kBadInput or a valid content; memory is bounded by the size of the block.
  virtual Status decode(const Block& block, std::span<const std::byte> encoded,
                        std::span<std::byte> logical) const = 0;
};

class Codec {
 public:
  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;

  virtual std::string_view name() const = 0;  // "trits.base3"
  virtual std::uint8_t id() const = 0;        // in files; never reused
  virtual std::string_view summary() const = 0;
  virtual bool accepts(const Content& content) const = 0;
  // Elements that one core of the reference machine decodes in a microsecond, as a careful
  // constant: choices must not depend on the machine that makes them. Measured in docs/packing.md.
  virtual std::uint32_t decode_rate(const Content& content) const = 0;

  // Beyond so many logical bytes encoding would take longer than all other codecs together, so that
  // the codec is tried only on request.
  virtual std::uint64_t encode_limit_bytes() const { return ~std::uint64_t{0}; }

  // A general coder whose encoder is slow: of larger contents tried only where the fast one finds
  // something (choose_codec).
  virtual bool is_slow_coder() const { return false; }

  // Does encoded_size() take much less time than encode()?
  virtual bool has_cheap_size() const { return false; }

  virtual bool has_shared_part() const { return false; }
  // The encoded size of a block where it follows from its shape; then files do not store it.
  virtual std::optional<std::uint64_t> fixed_bytes(const Content&, const Block&) const {
    return std::nullopt;
  }

  // Reads the source as often as the codec needs to know it. REQUIRES: accepts(source.content()).
  virtual std::unique_ptr<ContentEncoder> make_encoder(const ContentSource& source,
                                                       int threads) const = 0;
  // kBadInput for a damaged shared part. REQUIRES: accepts(content).
  virtual Result<std::unique_ptr<ContentDecoder>> make_decoder(
      const Content& content, std::span<const std::byte> shared_part) const = 0;
};

}  // namespace bankai::packer
