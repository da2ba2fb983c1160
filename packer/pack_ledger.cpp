#include "packer/pack_ledger.h"

#include <utility>

#include "core/format.h"
#include "packer/entropy.h"
#include "packer/pack_layout.h"

namespace bankai::packer {
namespace {

Status audit_tensor(const PackFile& pack, std::size_t index, int threads, PackLedger& ledger) {
  const TensorShape& shape = pack.layout().shape(index);
  const PackTensor& tensor = pack.index().tensors[index];
  const auto count = static_cast<std::size_t>(shape.bytes);
  BANKAI_ASSIGN_OR_RETURN(const PageMemory memory, PageMemory::allocate(count));
  const std::span<std::byte> data = memory.bytes().first(count);
  BANKAI_RETURN_IF_ERROR(pack.decode(index, data, threads));
  BANKAI_ASSIGN_OR_RETURN(const std::vector<CodedPart> parts,
                          part_entropies(shape, tensor.split, data, threads));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    CodedPart part = parts[i];
    part.codec = tensor.parts[i].codec;
    part.bytes = tensor.parts[i].bytes;
    ledger.entries.push_back(ledger_entry(pack.index().outline.tensors[index].name, part));
  }
  return {};
}

Status audit_blob(const char* name, const PackBlob& blob, Result<std::vector<std::byte>> plain,
                  PackLedger& ledger) {
  if (!plain.ok()) return std::move(plain).error();
  if (blob.plain_bytes == 0) return {};
  ledger.entries.push_back({name, std::string(blob.codec->name()), blob.stored_bytes,
                            blob.plain_bytes, blob_entropy_bytes(*plain)});
  return {};
}

}  // namespace

LedgerEntry ledger_entry(const std::string& tensor, const CodedPart& part) {
  return {tensor + " " + std::string(part_name(part.part.kind)), std::string(part.codec->name()),
          part.bytes, part.part.raw_bytes, part.entropy_bytes};
}

std::uint64_t blob_entropy_bytes(std::span<const std::byte> plain) {
  return static_cast<std::uint64_t>((byte_entropy_bits(plain) + 7) / 8);
}

LedgerEntry patch_entry(const PackPatch& patch) {
  return {"patch " + patch.name, "", patch.bytes, patch.bytes, patch.bytes};
}

void add_fixed_entries(PackLedger& ledger, const std::string& codec, std::uint64_t stored_bytes,
                       std::uint64_t entropy_bytes, std::uint64_t raw_bytes) {
  ledger.entries.push_back({"directory", codec, stored_bytes, raw_bytes, entropy_bytes});
  constexpr std::uint64_t kFixed = kPackHeaderBytes + kPackFooterBytes;
  ledger.entries.push_back({"container", "", kFixed, 0, kFixed});
}

Result<PackLedger> audit_pack(const PackFile& pack, int threads, const PackProgress& progress) {
  const PackIndex& index = pack.index();
  PackLedger ledger{pack.total_bytes(), index.file_bytes, {}};
  for (std::size_t i = 0; i < index.tensors.size(); ++i) {
    if (progress)
      progress(index.outline.tensors[i].name, static_cast<double>(pack.layout().offset(i)) /
                                                  static_cast<double>(index.file_bytes));
    BANKAI_RETURN_IF_ERROR(audit_tensor(pack, i, threads, ledger));
  }
  BANKAI_RETURN_IF_ERROR(audit_blob("padding", index.gaps, pack.gaps(), ledger));
  BANKAI_RETURN_IF_ERROR(audit_blob("metadata", index.values, pack.values(), ledger));
  for (std::size_t i = 0; i < index.patches.size(); ++i) {
    BANKAI_RETURN_IF_ERROR(pack.patch(i));
    ledger.entries.push_back(patch_entry(index.patches[i]));
  }
  const std::vector<std::byte> plain_index = encode_index(index);
  add_fixed_entries(ledger, std::string(pack.index_codec().name()), pack.stored_index_bytes(),
                    blob_entropy_bytes(plain_index),
                    pack.layout().header_bytes() - index.values.plain_bytes);
  return ledger;
}

}  // namespace bankai::packer
