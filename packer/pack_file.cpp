#include "packer/pack_file.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "core/format.h"
#include "core/sha256.h"
#include "packer/codec_table.h"
#include "packer/pack_layout.h"
#include "packer/payload.h"

namespace bankai::packer {
namespace {

// Text compresses to a few hundredths at best; more is an attack on memory.
constexpr std::uint64_t kMaxBlobExpansion = 4096;
constexpr std::uint64_t kSmallBlob = std::uint64_t{1} << 20U;
// A model of one repeated number expands about 30,000 times.
constexpr std::uint64_t kMaxModelExpansion = 65536;

unsigned long long printable(std::uint64_t value) { return value; }

Result<std::vector<std::byte>> decode_bytes(const Codec& codec, std::uint64_t plain_bytes,
                                            std::span<const std::byte> stored) {
  BANKAI_ASSIGN_OR_RETURN(const Content content, make_content(ContentKind::kBlob, 1, plain_bytes));
  BANKAI_ASSIGN_OR_RETURN(const PayloadReader reader, PayloadReader::open(codec, content, stored));
  std::vector<std::byte> plain(static_cast<std::size_t>(plain_bytes));
  BANKAI_RETURN_IF_ERROR(reader.decode(plain));
  return plain;
}

}  // namespace

bool is_pack(std::span<const std::byte> bytes) {
  return bytes.size() >= kPackMagic.size() &&
         std::ranges::equal(bytes.first(kPackMagic.size()),
                            std::as_bytes(std::span(kPackMagic.data(), kPackMagic.size())));
}

Result<PackFile> PackFile::open(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::open(path));
  BANKAI_ASSIGN_OR_RETURN(PackFile file, parse(mapping.bytes(), path));
  file.mapping_ = std::move(mapping);
  return file;
}

Result<PackFile> PackFile::parse(std::span<const std::byte> bytes, std::string name) {
  PackFile file(bytes, std::move(name));
  if (Status status = file.read(); !status.ok())
    return with_context(std::move(status).error(), file.path_);
  return file;
}

Status PackFile::read() {
  std::uint64_t index_offset = 0;
  BANKAI_RETURN_IF_ERROR(read_index(index_offset));
  BANKAI_ASSIGN_OR_RETURN(layout_, GgufLayout::make(index_.outline, index_.values.plain_bytes));
  BANKAI_RETURN_IF_ERROR(check_outline());
  return place_payloads(index_offset);
}

Status PackFile::read_index(std::uint64_t& index_offset) {
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t version, check_pack_header(bytes_));
  BANKAI_ASSIGN_OR_RETURN(const PackFooter footer, read_pack_footer(bytes_));
  index_offset = footer.index_offset;
  stored_index_bytes_ = footer.index_bytes;
  plain_index_bytes_ = footer.index_plain_bytes;
  index_codec_ = find_codec(footer.index_codec);
  if (index_codec_ == nullptr)
    return make_error(ErrorCode::kUnsupported, "codec %u of the index is not known",
                      footer.index_codec);
  const std::string where = format("index at offset %llu", printable(index_offset));
  auto plain = decode_bytes(*index_codec_, plain_index_bytes_,
                            bytes_.subspan(static_cast<std::size_t>(index_offset),
                                           static_cast<std::size_t>(stored_index_bytes_)));
  if (!plain.ok()) return with_context(std::move(plain).error(), where);
  if (footer_checksum(footer, *plain) != footer.checksum)
    return make_error(ErrorCode::kBadInput, "%s: the checksum in the footer is another: damaged",
                      where.c_str());
  auto index = decode_index(*plain);
  if (!index.ok()) return with_context(std::move(index).error(), where);
  index_ = std::move(index).value();
  if (index_.outline.is_plain() != (version == kPlainPackVersion))
    return make_error(ErrorCode::kBadInput, "%s: a file of version %u in a pack of version %u",
                      where.c_str(), index_.outline.version, version);
  return {};
}

Status PackFile::check_outline() const {
  std::set<std::string_view> names;
  for (const ImageTensor& tensor : index_.outline.tensors)
    if (!names.insert(tensor.name).second)
      return make_error(ErrorCode::kBadInput, "tensor %s appears twice",
                        quoted(tensor.name).c_str());
  if (index_.file_bytes < layout_->end() || index_.file_bytes > layout_->padded_end())
    return make_error(
        ErrorCode::kBadInput, "a model file of %llu bytes, expected %llu to %llu by its tensors",
        printable(index_.file_bytes), printable(layout_->end()), printable(layout_->padded_end()));
  if (index_.file_bytes / kMaxModelExpansion > bytes_.size())
    return make_error(ErrorCode::kBadInput, "a pack of %zu bytes cannot expand to %llu",
                      bytes_.size(), printable(index_.file_bytes));
  std::uint64_t gap_bytes = 0;
  for (const GgufLayout::Gap& gap : layout_->gaps(index_.file_bytes)) gap_bytes += gap.bytes;
  if (index_.gaps.plain_bytes != 0 && index_.gaps.plain_bytes != gap_bytes)
    return make_error(ErrorCode::kBadInput, "%llu bytes of padding, expected %llu",
                      printable(index_.gaps.plain_bytes), printable(gap_bytes));
  for (const PackBlob* blob : {&index_.values, &index_.gaps})
    if (blob->plain_bytes > kSmallBlob &&
        blob->plain_bytes / kMaxBlobExpansion > blob->stored_bytes)
      return make_error(ErrorCode::kBadInput, "%llu bytes cannot expand to %llu",
                        printable(blob->stored_bytes), printable(blob->plain_bytes));
  return {};
}

// Payloads follow each other without holes, from the header to the index.
Status PackFile::place_payloads(std::uint64_t index_offset) {
  std::uint64_t at = kPackHeaderBytes;
  const auto take = [&](std::uint64_t count,
                        const std::string& what) -> Result<std::span<const std::byte>> {
    if (count > index_offset - at)
      return make_error(ErrorCode::kBadInput,
                        "%s at offset %llu needs %llu bytes, but the index starts at %llu",
                        what.c_str(), printable(at), printable(count), printable(index_offset));
    const auto part = bytes_.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count));
    at += count;
    return part;
  };
  for (std::size_t i = 0; i < index_.tensors.size(); ++i) {
    const PackTensor& tensor = index_.tensors[i];
    const std::string what = "tensor " + quoted(index_.outline.tensors[i].name);
    auto shapes = parts_of(layout_->shape(i), tensor.split, 0);
    if (!shapes.ok()) return with_context(std::move(shapes).error(), what);
    if (shapes->size() != tensor.parts.size())
      return make_error(ErrorCode::kBadInput, "%s: %zu parts, expected %zu", what.c_str(),
                        tensor.parts.size(), shapes->size());
    std::vector<StoredPart>& stored = parts_.emplace_back();
    for (const PackTensor::Part& part : tensor.parts) {
      BANKAI_ASSIGN_OR_RETURN(const auto payload, take(part.bytes, what));
      stored.push_back({part.codec, payload});
    }
  }
  BANKAI_ASSIGN_OR_RETURN(stored_gaps_, take(index_.gaps.stored_bytes, "the padding"));
  BANKAI_ASSIGN_OR_RETURN(stored_values_, take(index_.values.stored_bytes, "the metadata"));
  for (const PackPatch& patch : index_.patches) {
    BANKAI_ASSIGN_OR_RETURN(const auto bytes, take(patch.bytes, "patch " + quoted(patch.name)));
    patches_.push_back(bytes);
  }
  if (at != index_offset)
    return make_error(ErrorCode::kBadInput, "%llu bytes between the payloads and the index",
                      printable(index_offset - at));
  return {};
}

Status PackFile::decode(std::size_t tensor, std::span<std::byte> data, int threads) const {
  const std::string where =
      path_ + ": tensor " + quoted(index_.outline.tensors[tensor].name) +
      format(" at offset %llu", printable(offset_of(parts_[tensor].front().payload)));
  const PackTensor& entry = index_.tensors[tensor];
  Status status = decode_tensor(layout_->shape(tensor), entry.split, parts_[tensor], data, threads);
  if (!status.ok()) return with_context(std::move(status).error(), where);
  const PackChecksum sum = checksum_of(data);
  if (sum != entry.checksum)
    return make_error(ErrorCode::kBadInput, "%s: the content has checksum %s, expected %s: damaged",
                      where.c_str(), to_hex(sum).c_str(), to_hex(entry.checksum).c_str());
  return {};
}

Result<std::vector<std::byte>> PackFile::blob(const PackBlob& blob,
                                              std::span<const std::byte> stored,
                                              const char* what) const {
  if (blob.plain_bytes == 0) return std::vector<std::byte>();
  const std::string where =
      path_ + format(": %s at offset %llu", what, printable(offset_of(stored)));
  auto plain = decode_bytes(*blob.codec, blob.plain_bytes, stored);
  if (!plain.ok()) return with_context(std::move(plain).error(), where);
  if (checksum_of(*plain) != blob.checksum)
    return make_error(ErrorCode::kBadInput, "%s: the checksum is another: damaged", where.c_str());
  return std::move(plain).value();
}

Result<std::vector<std::byte>> PackFile::values() const {
  return blob(index_.values, stored_values_, "metadata");
}
Result<std::vector<std::byte>> PackFile::gaps() const {
  return blob(index_.gaps, stored_gaps_, "padding");
}

Result<std::span<const std::byte>> PackFile::patch(std::size_t index) const {
  const PackPatch& patch = index_.patches[index];
  if (checksum_of(patches_[index]) != patch.checksum)
    return make_error(ErrorCode::kBadInput, "%s: patch %s at offset %llu: damaged", path_.c_str(),
                      quoted(patch.name).c_str(), printable(offset_of(patches_[index])));
  return patches_[index];
}

Result<std::optional<std::span<const std::byte>>> PackFile::find_patch(
    std::string_view name) const {
  using Found = std::optional<std::span<const std::byte>>;
  for (std::size_t i = 0; i < index_.patches.size(); ++i) {
    if (index_.patches[i].name != name) continue;
    BANKAI_ASSIGN_OR_RETURN(const auto bytes, patch(i));
    return Found(bytes);
  }
  return Found();
}

Status PackFile::decode_all(const Take& take, int threads, const PackProgress& progress) const {
  BANKAI_ASSIGN_OR_RETURN(const std::vector<std::byte> plain_values, values());
  BANKAI_ASSIGN_OR_RETURN(const std::vector<std::byte> plain_gaps, gaps());
  std::uint64_t at = 0;
  const auto put = [&](std::span<const std::byte> bytes) -> Status {
    BANKAI_RETURN_IF_ERROR(take(at, bytes));
    at += bytes.size();
    return {};
  };
  std::span<const std::byte> gaps_left = plain_gaps;
  const auto put_gap_up_to = [&](std::uint64_t end) -> Status {
    static constexpr std::array<std::byte, 65536> kZeros{};
    while (at < end) {  // in pieces: a file may ask for long gaps
      auto piece = gaps_left.empty() ? std::span<const std::byte>(kZeros) : gaps_left;
      piece =
          piece.first(static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), end - at)));
      if (!gaps_left.empty()) gaps_left = gaps_left.subspan(piece.size());
      BANKAI_RETURN_IF_ERROR(put(piece));
    }
    return {};
  };
  BANKAI_RETURN_IF_ERROR(put(gguf_header(index_.outline, plain_values, *layout_)));
  for (std::size_t i = 0; i < index_.tensors.size(); ++i) {
    report(i, progress);
    BANKAI_RETURN_IF_ERROR(put_gap_up_to(layout_->offset(i)));
    const auto count = static_cast<std::size_t>(layout_->shape(i).bytes);
    BANKAI_ASSIGN_OR_RETURN(const PageMemory memory, PageMemory::allocate(count));
    const auto data = memory.bytes().first(count);
    BANKAI_RETURN_IF_ERROR(decode(i, data, threads));
    release(i);
    BANKAI_RETURN_IF_ERROR(put(data));
  }
  return put_gap_up_to(index_.file_bytes);
}

Status PackFile::decode_into(std::span<std::byte> image, int threads,
                             const PackProgress& progress) const {
  BANKAI_ASSIGN_OR_RETURN(const std::vector<std::byte> plain_values, values());
  BANKAI_ASSIGN_OR_RETURN(const std::vector<std::byte> plain_gaps, gaps());
  std::ranges::copy(gguf_header(index_.outline, plain_values, *layout_), image.begin());
  std::span<const std::byte> gaps_left = plain_gaps;
  if (!plain_gaps.empty())
    for (const GgufLayout::Gap& gap : layout_->gaps(index_.file_bytes)) {
      const auto count = static_cast<std::size_t>(gap.bytes);
      std::ranges::copy(gaps_left.first(count),
                        image.subspan(static_cast<std::size_t>(gap.offset)).begin());
      gaps_left = gaps_left.subspan(count);
    }
  for (std::size_t i = 0; i < index_.tensors.size(); ++i) {
    report(i, progress);
    BANKAI_RETURN_IF_ERROR(decode(i,
                                  image.subspan(static_cast<std::size_t>(layout_->offset(i)),
                                                static_cast<std::size_t>(layout_->shape(i).bytes)),
                                  threads));
    release(i);
  }
  return {};
}

void PackFile::report(std::size_t tensor, const PackProgress& progress) const {
  if (!progress) return;
  progress(index_.outline.tensors[tensor].name,
           static_cast<double>(layout_->offset(tensor)) / static_cast<double>(index_.file_bytes));
}

void PackFile::release(std::size_t tensor) const {
  if (!mapping_) return;
  for (const StoredPart& part : parts_[tensor]) mapping_->release(part.payload);
}

}  // namespace bankai::packer
