#include "packer/pack_writer.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "core/check.h"
#include "core/format.h"
#include "packer/codec_table.h"
#include "packer/pack_layout.h"
#include "packer/payload.h"

namespace bankai::packer {
namespace {

struct CodedBytes {
  const Codec* codec = nullptr;
  std::vector<std::byte> stored;
};

// By the best of all codecs for bytes: of these there are few, so even slow ones are tried.
Result<CodedBytes> code_bytes(std::span<const std::byte> plain, int threads) {
  BANKAI_ASSIGN_OR_RETURN(const Content content, make_content(ContentKind::kBlob, 1, plain.size()));
  const ContentSource source(content, plain);
  CodedBytes best;
  for (const Codec* codec : all_codecs()) {
    if (!codec->accepts(content)) continue;
    BANKAI_ASSIGN_OR_RETURN(std::vector<std::byte> stored, encode(*codec, source, threads));
    if (best.codec == nullptr || stored.size() < best.stored.size())
      best = {codec, std::move(stored)};
  }
  return best;
}

// Writes, or only counts.
class Output {
 public:
  explicit Output(AtomicFile* file) : file_(file) {}
  Status write(std::span<const std::byte> bytes) {
    written_ += bytes.size();
    return file_ == nullptr ? Status() : file_->write(bytes);
  }
  bool keeps() const { return file_ != nullptr; }
  void count(std::uint64_t bytes) { written_ += bytes; }
  std::uint64_t written() const { return written_; }

 private:
  AtomicFile* file_;
  std::uint64_t written_ = 0;
};

Result<TensorShape> shape_of(const ImageTensor& tensor) {
  return tensor.array == ArrayType::kNone ? tensor_shape(tensor.type, tensor.dims)
                                          : array_shape(tensor.array, tensor.dims);
}

// The payloads are in `payloads`, unless that is null.
Result<PackedTensor> pack_tensor(const ImageTensor& tensor, std::span<const std::byte> data,
                                 const PackOptions& options,
                                 std::vector<std::vector<std::byte>>* payloads) {
  BANKAI_ASSIGN_OR_RETURN(const TensorShape shape, shape_of(tensor));
  auto coded = code_tensor(shape, data,
                           {.min_decode_rate = options.min_decode_rate,
                            .threads = options.threads,
                            .with_payload = payloads != nullptr});
  if (!coded.ok()) return with_context(std::move(coded).error(), "tensor " + quoted(tensor.name));
  PackedTensor packed{{coded->split, {}, checksum_of(data)}, {}};
  for (CodedPart& part : coded->parts) {
    packed.entry.parts.push_back({part.codec, part.bytes});
    packed.parts.push_back(ledger_entry(tensor.name, part));
    if (payloads != nullptr) payloads->push_back(std::move(part.payload));
  }
  return packed;
}

class Packer {
 public:
  Packer(const PackSource& source, const PackOptions& options, Output& output)
      : source_(source),
        options_(options),
        output_(output),
        blobs_(source.blobs == nullptr || output.keeps() ? own_blobs_ : *source.blobs) {}

  Result<PackLedger> run() {
    BANKAI_RETURN_IF_ERROR(check_patches());
    BANKAI_ASSIGN_OR_RETURN(layout_, GgufLayout::make(source_.outline, source_.values.size()));
    index_.outline = source_.outline;
    index_.file_bytes = source_.file_bytes;
    BANKAI_RETURN_IF_ERROR(output_.write(
        encode_pack_header(source_.outline.is_plain() ? kPlainPackVersion : kPackVersion)));
    for (std::size_t i = 0; i < source_.outline.tensors.size(); ++i)
      BANKAI_RETURN_IF_ERROR(add_tensor(i));
    if (!source_.gaps.empty())
      BANKAI_RETURN_IF_ERROR(add_blob("padding", source_.gaps, blobs_.gaps, index_.gaps));
    BANKAI_RETURN_IF_ERROR(add_blob("metadata", source_.values, blobs_.values, index_.values));
    BANKAI_RETURN_IF_ERROR(add_patches());
    BANKAI_RETURN_IF_ERROR(add_index());
    ledger_.total_bytes = output_.written();
    ledger_.model_bytes = source_.file_bytes;
    return std::move(ledger_);
  }

 private:
  Status check_patches() const {
    std::set<std::string_view> names;
    for (const NewPatch& patch : options_.patches) {
      if (Status status = check_patch_name(patch.name); !status.ok())
        return Error{ErrorCode::kUsage, std::move(status).error().message};
      if (!names.insert(patch.name).second)
        return make_error(ErrorCode::kUsage, "two patches of the name %s",
                          quoted(patch.name).c_str());
    }
    return {};
  }

  Status add_tensor(std::size_t index) {
    const ImageTensor& tensor = source_.outline.tensors[index];
    if (options_.progress)
      options_.progress(tensor.name, static_cast<double>(layout_->offset(index)) /
                                         static_cast<double>(source_.file_bytes));
    if (!output_.keeps() && source_.measured)
      if (const PackedTensor* known = source_.measured(index)) {
        output_.count(known->bytes());
        add_entries(*known);
        return {};
      }
    BANKAI_ASSIGN_OR_RETURN(const std::span<const std::byte> data, source_.data(index));
    std::vector<std::vector<std::byte>> payloads;
    BANKAI_ASSIGN_OR_RETURN(
        const PackedTensor packed,
        pack_tensor(tensor, data, options_, output_.keeps() ? &payloads : nullptr));
    if (!output_.keeps()) output_.count(packed.bytes());
    for (const std::vector<std::byte>& payload : payloads)
      BANKAI_RETURN_IF_ERROR(output_.write(payload));
    add_entries(packed);
    return {};
  }

  void add_entries(const PackedTensor& packed) {
    index_.tensors.push_back(packed.entry);
    ledger_.entries.insert(ledger_.entries.end(), packed.parts.begin(), packed.parts.end());
  }

  Status add_blob(const char* name, std::span<const std::byte> plain,
                  std::optional<PackedBlob>& packed, PackBlob& blob) {
    if (plain.empty()) return {};
    if (packed) {
      output_.count(packed->blob.stored_bytes);
    } else {
      BANKAI_ASSIGN_OR_RETURN(const CodedBytes coded, code_bytes(plain, options_.threads));
      packed = {{coded.codec, plain.size(), coded.stored.size(), checksum_of(plain)},
                {name, std::string(coded.codec->name()), coded.stored.size(), plain.size(),
                 blob_entropy_bytes(plain)}};
      BANKAI_RETURN_IF_ERROR(output_.write(coded.stored));
    }
    blob = packed->blob;
    ledger_.entries.push_back(packed->entry);
    return {};
  }

  Status add_patches() {
    if (blobs_.patches.empty())
      for (const NewPatch& patch : options_.patches)
        blobs_.patches.push_back({patch.name, patch.bytes.size(), checksum_of(patch.bytes)});
    index_.patches = blobs_.patches;
    for (const PackPatch& patch : index_.patches) ledger_.entries.push_back(patch_entry(patch));
    for (const NewPatch& patch : options_.patches)
      BANKAI_RETURN_IF_ERROR(output_.write(patch.bytes));
    return {};
  }

  Status add_index() {
    const std::vector<std::byte> plain = encode_index(index_);
    BANKAI_ASSIGN_OR_RETURN(const CodedBytes coded, code_bytes(plain, options_.threads));
    PackFooter footer{.index_offset = output_.written(),
                      .index_bytes = coded.stored.size(),
                      .index_plain_bytes = plain.size(),
                      .index_codec = coded.codec->id(),
                      .total_bytes = output_.written() + coded.stored.size() + kPackFooterBytes};
    footer.checksum = footer_checksum(footer, plain);
    add_fixed_entries(ledger_, std::string(coded.codec->name()), coded.stored.size(),
                      blob_entropy_bytes(plain), layout_->header_bytes() - source_.values.size());
    BANKAI_RETURN_IF_ERROR(output_.write(coded.stored));
    return output_.write(encode_pack_footer(footer));
  }

  const PackSource& source_;
  const PackOptions& options_;
  Output& output_;
  PackedBlobs own_blobs_;
  PackedBlobs& blobs_;
  std::optional<GgufLayout> layout_;
  PackIndex index_;
  PackLedger ledger_;
};

// Bytes come back only if the header is what the outline gives.
Status check_header(const PackSource& source, const GgufLayout& layout,
                    const model::GgufFile& file) {
  const std::vector<std::byte> header = gguf_header(source.outline, source.values, layout);
  if (std::ranges::equal(header, file.bytes().first(std::min(header.size(), file.bytes().size()))))
    return {};
  return make_error(ErrorCode::kUnsupported, "%s: its header would not come back as it is",
                    file.path().c_str());
}

}  // namespace

std::uint64_t PackedTensor::bytes() const {
  std::uint64_t sum = 0;
  for (const PackTensor::Part& part : entry.parts) sum += part.bytes;
  return sum;
}

Result<PackedTensor> measure_tensor(const ImageTensor& tensor, std::span<const std::byte> data,
                                    const PackOptions& options) {
  return pack_tensor(tensor, data, options, nullptr);
}

Result<std::vector<PackedTensor>> measure_tensors(const PackSource& source,
                                                  const PackOptions& options) {
  std::vector<PackedTensor> tensors;
  for (const ImageTensor& tensor : source.outline.tensors) {
    const std::size_t index = tensors.size();
    if (options.progress)
      options.progress(tensor.name, static_cast<double>(index) /
                                        static_cast<double>(source.outline.tensors.size()));
    BANKAI_ASSIGN_OR_RETURN(const std::span<const std::byte> data, source.data(index));
    BANKAI_ASSIGN_OR_RETURN(PackedTensor packed, measure_tensor(tensor, data, options));
    tensors.push_back(std::move(packed));
  }
  return tensors;
}

Result<PackSource> pack_source(const model::GgufFile& file) {
  PackSource source{.outline = outline_of(file),
                    .values = encoded_values(file),
                    .gaps = {},
                    .file_bytes = file.bytes().size(),
                    .data = [&file](std::size_t tensor) -> Result<std::span<const std::byte>> {
                      if (tensor > 0) file.release(file.tensors()[tensor - 1].data);
                      return file.tensors()[tensor].data;
                    },
                    .measured = {}};
  BANKAI_ASSIGN_OR_RETURN(const GgufLayout layout,
                          GgufLayout::make(source.outline, source.values.size()));
  BANKAI_RETURN_IF_ERROR(check_header(source, layout, file));
  for (const GgufLayout::Gap& gap : layout.gaps(source.file_bytes)) {
    const auto bytes = file.bytes().subspan(static_cast<std::size_t>(gap.offset),
                                            static_cast<std::size_t>(gap.bytes));
    source.gaps.insert(source.gaps.end(), bytes.begin(), bytes.end());
  }
  if (std::ranges::all_of(source.gaps, [](std::byte byte) { return byte == std::byte{0}; }))
    source.gaps.clear();
  return source;
}

Result<PackLedger> write_pack(const PackSource& source, const PackOptions& options,
                              const std::string& path, Overwrite overwrite) {
  BANKAI_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, overwrite));
  Output output(&file);
  BANKAI_ASSIGN_OR_RETURN(PackLedger ledger, Packer(source, options, output).run());
  BANKAI_RETURN_IF_ERROR(file.commit());
  return ledger;
}

Result<PackLedger> measure_pack(const PackSource& source, const PackOptions& options) {
  Output output(nullptr);
  return Packer(source, options, output).run();
}

}  // namespace bankai::packer
