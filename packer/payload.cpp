#include "packer/payload.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/check.h"
#include "core/format.h"
#include "model/parallel.h"
#include "packer/unused_bits.h"

namespace bankai::packer {
namespace {

unsigned long long printable(std::uint64_t value) { return value; }

Status check_trits(const Block& block, std::span<const std::byte> logical) {
  std::uint8_t largest_code = 0;
  for (const std::byte trit : logical)
    largest_code =
        std::max(largest_code, static_cast<std::uint8_t>(std::to_integer<std::uint8_t>(trit) + 1));
  if (largest_code <= 2) return {};
  for (std::size_t i = 0; i < logical.size(); ++i) {
    const auto trit = static_cast<signed char>(logical[i]);
    if (trit < -1 || trit > 1)
      return make_error(ErrorCode::kBadInput, "element %llu is %d, which is no trit",
                        printable(block.first_element + i), trit);
  }
  return {};
}

Status check_logical(const Content& content, const Block& block,
                     std::span<const std::byte> logical) {
  if (content.kind == ContentKind::kTrits) return check_trits(block, logical);
  if (content.kind == ContentKind::kBits && has_unused_ones(logical.data(), block.elements()))
    return make_error(ErrorCode::kBadInput, "an unused bit behind element %llu is 1",
                      printable(block.first_element + block.elements() - 1));
  return {};
}

struct EncodedBlocks {
  bool is_given_up = false;                  // see EncodedPayload
  std::vector<std::byte> head;               // the shared part and its size
  std::vector<std::uint64_t> sizes;          // of the blocks
  std::vector<std::vector<std::byte>> data;  // of the blocks, if they were asked for
};

Result<EncodedBlocks> encode_blocks(const Codec& codec, const ContentSource& source, int threads,
                                    bool with_data, std::uint64_t limit) {
  const Content& content = source.content();
  BANKAI_CHECK(codec.accepts(content), "a codec that does not take this content");
  const std::uint64_t blocks = num_blocks(content);
  if (content.kind == ContentKind::kTrits || content.kind == ContentKind::kBits) {
    BANKAI_RETURN_IF_ERROR(for_each_block(blocks, threads, [&](std::uint64_t index) {
      std::vector<std::byte> buffer;
      const Block block = block_at(content, index);
      return check_logical(content, block, source.read(block, buffer));
    }));
  }
  EncodedBlocks encoded;
  if (blocks == 0) return encoded;
  const std::unique_ptr<ContentEncoder> encoder = codec.make_encoder(source, threads);
  encoded.is_given_up = encoder->estimated_bytes().value_or(0) > limit;
  if (encoded.is_given_up) return encoded;
  if (codec.has_shared_part()) {
    ByteWriter head;
    head.write_varint(encoder->shared_part().size());
    head.write_bytes(encoder->shared_part());
    encoded.head = std::move(head).bytes();
  }
  encoded.sizes.resize(static_cast<std::size_t>(blocks));
  encoded.data.resize(with_data ? encoded.sizes.size() : 0);
  BANKAI_RETURN_IF_ERROR(for_each_block(blocks, threads, [&](std::uint64_t index) {
    std::vector<std::byte> buffer;
    const Block block = block_at(content, index);
    const auto i = static_cast<std::size_t>(index);
    encoded.sizes[i] =
        encoder->encode(block, source.read(block, buffer), with_data ? &encoded.data[i] : nullptr);
    return Status();
  }));
  return encoded;
}

// The sizes as they stand in the payload: those of all blocks but the last, unless they follow from
// the shape.
std::vector<std::byte> size_list(const Codec& codec, const Content& content,
                                 std::span<const std::uint64_t> sizes) {
  ByteWriter out;
  if (!sizes.empty() && !codec.fixed_bytes(content, block_at(content, 0)).has_value())
    for (const std::uint64_t size : sizes.first(sizes.size() - 1)) out.write_varint(size);
  return std::move(out).bytes();
}

}  // namespace

Status for_each_block(std::uint64_t blocks, int threads,
                      const std::function<Status(std::uint64_t)>& body) {
  std::mutex mutex;
  std::optional<Error> error;
  std::uint64_t failed = blocks;
  // Interleaved, so that the threads' parts of a large tensor finish together.
  const auto workers = static_cast<std::size_t>(
      std::max<std::uint64_t>(1, std::min<std::uint64_t>(blocks, static_cast<unsigned>(threads))));
  model::parallel_for(threads, workers, [&](IndexRange range) {
    for (std::size_t worker = range.begin; worker < range.end; ++worker)
      for (std::uint64_t index = worker; index < blocks; index += workers) {
        Status status = body(index);
        if (status.ok()) continue;
        const std::lock_guard lock(mutex);
        if (index < failed) {
          failed = index;
          error = std::move(status).error();
        }
      }
  });
  if (error) return *std::move(error);
  return {};
}

Result<EncodedPayload> encode_within(const Codec& codec, const ContentSource& source, int threads,
                                     bool with_payload, std::uint64_t limit) {
  const Content& content = source.content();
  const std::uint64_t blocks = num_blocks(content);
  EncodedPayload result;
  if (!with_payload && blocks != 0 &&
      codec.fixed_bytes(content, block_at(content, 0)).has_value()) {
    for (std::uint64_t i = 0; i < blocks; ++i)
      result.size += codec.fixed_bytes(content, block_at(content, i)).value();
    return result;
  }
  BANKAI_ASSIGN_OR_RETURN(EncodedBlocks encoded,
                          encode_blocks(codec, source, threads, with_payload, limit));
  result.is_given_up = encoded.is_given_up;
  if (result.is_given_up) return result;
  const std::vector<std::byte> sizes = size_list(codec, content, encoded.sizes);
  result.size = encoded.head.size() + sizes.size();
  for (const std::uint64_t size : encoded.sizes) result.size += size;
  if (!with_payload) return result;
  ByteWriter out;
  out.write_bytes(encoded.head);
  out.write_bytes(sizes);
  for (std::vector<std::byte>& block : encoded.data) {
    out.write_bytes(block);
    block = {};
  }
  result.bytes = std::move(out).bytes();
  return result;
}

Result<std::vector<std::byte>> encode(const Codec& codec, const ContentSource& source,
                                      int threads) {
  BANKAI_ASSIGN_OR_RETURN(EncodedPayload encoded,
                          encode_within(codec, source, threads, true, kNoLimit));
  return std::move(encoded.bytes);
}

Result<std::uint64_t> encoded_size(const Codec& codec, const ContentSource& source, int threads) {
  BANKAI_ASSIGN_OR_RETURN(const EncodedPayload encoded,
                          encode_within(codec, source, threads, false, kNoLimit));
  return encoded.size;
}

Result<PayloadReader> PayloadReader::open(const Codec& codec, const Content& content,
                                          std::span<const std::byte> payload) {
  if (!codec.accepts(content))
    return make_error(ErrorCode::kUnsupported, "codec %.*s does not take content of kind %u",
                      static_cast<int>(codec.name().size()), codec.name().data(),
                      static_cast<unsigned>(content.kind));
  PayloadReader opened;
  opened.content_ = content;
  opened.payload_ = payload;
  ByteReader reader(payload);
  const std::uint64_t blocks = packer::num_blocks(content);
  std::span<const std::byte> shared;
  if (codec.has_shared_part() && blocks != 0) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t bytes,
                            reader.read_varint("size of the shared part"));
    BANKAI_ASSIGN_OR_RETURN(shared, reader.read_bytes(bytes, "the shared part"));
  }
  if (blocks != 0) {
    BANKAI_ASSIGN_OR_RETURN(opened.decoder_, codec.make_decoder(content, shared));
  }
  // A block takes at least a byte of the list of sizes, or a byte of its own.
  if (blocks > payload.size())
    return make_error(ErrorCode::kBadInput, "a payload of %zu bytes cannot hold %llu blocks",
                      payload.size(), printable(blocks));
  std::vector<std::uint64_t> sizes(static_cast<std::size_t>(blocks));
  for (std::uint64_t i = 0; i < blocks; ++i) {
    std::uint64_t& size = sizes[static_cast<std::size_t>(i)];
    if (const auto fixed = codec.fixed_bytes(content, block_at(content, i)); fixed.has_value()) {
      size = *fixed;
    } else if (i + 1 < blocks) {
      BANKAI_ASSIGN_OR_RETURN(size, reader.read_varint("size of a block"));
    } else {
      size = payload.size();  // what is left; reduced below
    }
  }
  std::uint64_t at = reader.offset();
  opened.offsets_.push_back(at);
  for (std::uint64_t i = 0; i < blocks; ++i) {
    std::uint64_t size = sizes[static_cast<std::size_t>(i)];
    const bool takes_the_rest =
        i + 1 == blocks && !codec.fixed_bytes(content, block_at(content, i)).has_value();
    if (takes_the_rest) size = payload.size() - at;
    if (size > payload.size() - at)
      return make_error(ErrorCode::kBadInput,
                        "block %llu at offset %llu needs %llu bytes, but only %llu are left",
                        printable(i), printable(at), printable(size),
                        printable(payload.size() - at));
    at += size;
    opened.offsets_.push_back(at);
  }
  if (at != payload.size())
    return make_error(ErrorCode::kBadInput, "%llu bytes behind the last block, at offset %llu",
                      printable(payload.size() - at), printable(at));
  return opened;
}

Status PayloadReader::decode_block(std::uint64_t index, std::span<std::byte> logical) const {
  const Block of = block(index);
  BANKAI_CHECK(logical.size() == content_.bytes_of(of.elements()), "a block of another size");
  const auto begin = static_cast<std::size_t>(offsets_[static_cast<std::size_t>(index)]);
  const auto end = static_cast<std::size_t>(offsets_[static_cast<std::size_t>(index) + 1]);
  Status status = decoder_->decode(of, payload_.subspan(begin, end - begin), logical);
  if (status.ok()) return status;
  return with_context(std::move(status).error(),
                      format("block %llu at offset %zu", printable(index), begin));
}

Status PayloadReader::decode(std::span<std::byte> logical, int threads) const {
  BANKAI_CHECK(logical.size() == content_.logical_bytes(), "a content of another size");
  return for_each_block(num_blocks(), threads, [&](std::uint64_t index) {
    const Block of = block(index);
    return decode_block(
        index, logical.subspan(static_cast<std::size_t>(content_.bytes_of(of.first_element)),
                               static_cast<std::size_t>(content_.bytes_of(of.elements()))));
  });
}

}  // namespace bankai::packer
