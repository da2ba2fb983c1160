#include "packer/pack_model.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/format.h"

namespace bankai::packer {
namespace {

// The tensor in which the offset is, for messages.
std::string place_of(const PackFile& pack, std::uint64_t offset) {
  for (std::size_t i = 0; i < pack.index().tensors.size(); ++i) {
    const std::uint64_t begin = pack.layout().offset(i);
    if (offset >= begin && offset - begin < pack.layout().shape(i).bytes)
      return "tensor " + quoted(pack.index().outline.tensors[i].name);
  }
  return "header or padding";
}

}  // namespace

Result<PageMemory> unpack_image(const PackFile& pack, int threads, const PackProgress& progress) {
  const auto bytes = static_cast<std::size_t>(pack.index().file_bytes);
  BANKAI_ASSIGN_OR_RETURN(PageMemory memory, PageMemory::allocate(bytes));
  BANKAI_RETURN_IF_ERROR(pack.decode_into(memory.bytes().first(bytes), threads, progress));
  return memory;
}

Result<std::string> packed_architecture(const PackFile& pack) {
  GgufOutline outline = pack.index().outline;
  outline.tensors.clear();  // the metadata as a file of their own, for GGUF's reader
  BANKAI_ASSIGN_OR_RETURN(const std::vector<std::byte> values, pack.values());
  BANKAI_ASSIGN_OR_RETURN(const GgufLayout layout, GgufLayout::make(outline, values.size()));
  const std::vector<std::byte> header = gguf_header(outline, values, layout);
  BANKAI_ASSIGN_OR_RETURN(const model::GgufFile file, model::GgufFile::parse(header, pack.path()));
  return file.get_string("general.architecture", std::string());
}

Result<model::GgufFile> unpack_to_memory(const PackFile& pack, int threads,
                                         const PackProgress& progress) {
  BANKAI_ASSIGN_OR_RETURN(PageMemory memory, unpack_image(pack, threads, progress));
  const auto bytes = static_cast<std::size_t>(pack.index().file_bytes);
  return model::GgufFile::adopt(std::move(memory), bytes, pack.path());
}

Result<model::GgufFile> open_gguf_or_pack(const std::string& path, int threads) {
  {
    BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
    if (!is_pack(file.bytes())) return model::GgufFile::open(path);
  }
  BANKAI_ASSIGN_OR_RETURN(const PackFile pack, PackFile::open(path));
  return unpack_to_memory(pack, threads);
}

Status unpack_to_file(const PackFile& pack, const std::string& path, Overwrite overwrite,
                      int threads, const PackProgress& progress) {
  BANKAI_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, overwrite));
  BANKAI_RETURN_IF_ERROR(pack.decode_all(
      [&](std::uint64_t, std::span<const std::byte> bytes) { return file.write(bytes); }, threads,
      progress));
  return file.commit();
}

Status compare_with(const PackFile& pack, std::span<const std::byte> file, int threads,
                    const PackProgress& progress) {
  if (file.size() != pack.index().file_bytes)
    return make_error(ErrorCode::kVerification, "%s: holds a file of %llu bytes, not of %zu",
                      pack.path().c_str(), static_cast<unsigned long long>(pack.index().file_bytes),
                      file.size());
  return pack.decode_all(
      [&](std::uint64_t offset, std::span<const std::byte> bytes) -> Status {
        const auto expected = file.subspan(static_cast<std::size_t>(offset), bytes.size());
        if (bytes.empty() || std::memcmp(bytes.data(), expected.data(), bytes.size()) == 0)
          return {};
        const auto [found, wanted] = std::mismatch(bytes.begin(), bytes.end(), expected.begin());
        const std::uint64_t at = offset + static_cast<std::uint64_t>(found - bytes.begin());
        return make_error(
            ErrorCode::kVerification, "%s: byte %llu of the model (%s) is %02x, expected %02x",
            pack.path().c_str(), static_cast<unsigned long long>(at), place_of(pack, at).c_str(),
            std::to_integer<unsigned>(*found), std::to_integer<unsigned>(*wanted));
      },
      threads, progress);
}

}  // namespace bankai::packer
