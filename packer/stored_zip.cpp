#include "packer/stored_zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/byte_reader.h"

namespace bankai::packer {
namespace {

constexpr std::uint32_t kLocalMagic = 0x04034b50;
constexpr std::uint32_t kDirectoryMagic = 0x02014b50;
constexpr std::uint32_t kEndMagic = 0x06054b50;
constexpr std::size_t kLocalBytes = 30;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kMaxComment = 0xffff;
constexpr std::uint32_t kIs64Bit = 0xffffffff;

struct Directory {
  std::size_t entries = 0;
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

// The end record: the last one whose comment reaches to the end of the archive.
Result<Directory> find_directory(std::span<const std::byte> archive) {
  if (archive.size() < kEndBytes)
    return make_error(ErrorCode::kBadInput, "a ZIP archive of %zu bytes is cut short",
                      archive.size());
  const std::size_t last = archive.size() - kEndBytes;
  const std::size_t first = last > kMaxComment ? last - kMaxComment : 0;
  for (std::size_t offset = last + 1; offset-- > first;) {
    ByteReader reader(archive.subspan(offset));
    if (reader.read<std::uint32_t>("end record").value() != kEndMagic) continue;
    const auto disk = reader.read<std::uint16_t>("disk").value();
    const auto directory_disk = reader.read<std::uint16_t>("disk").value();
    const auto entries_here = reader.read<std::uint16_t>("entries").value();
    const auto entries = reader.read<std::uint16_t>("entries").value();
    const auto bytes = reader.read<std::uint32_t>("directory size").value();
    const auto start = reader.read<std::uint32_t>("directory offset").value();
    const auto comment = reader.read<std::uint16_t>("comment size").value();
    if (comment != reader.remaining()) continue;
    if (start == kIs64Bit || bytes == kIs64Bit || entries == 0xffff)
      return make_error(ErrorCode::kUnsupported, "a ZIP archive with 64-bit sizes at offset %zu",
                        offset);
    if (disk != 0 || directory_disk != 0 || entries_here != entries)
      return make_error(ErrorCode::kUnsupported, "a ZIP archive in several parts at offset %zu",
                        offset);
    if (start > offset || bytes > offset - start)
      return make_error(ErrorCode::kBadInput,
                        "ZIP directory of %u bytes at offset %u: expected it before the end record "
                        "at %zu",
                        bytes, start, offset);
    return Directory{entries, start, bytes};
  }
  return make_error(ErrorCode::kBadInput, "a ZIP archive without an end record");
}

// An entry of the directory.
struct DirectoryEntry {
  std::string_view name;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint32_t crc = 0;
  std::uint32_t stored = 0;  // bytes in the archive
  std::uint32_t size = 0;
  std::uint32_t local_offset = 0;
};

// `offset`: of the entry in the archive.
Result<DirectoryEntry> read_directory_entry(ByteReader& reader, std::size_t offset) {
  BANKAI_ASSIGN_OR_RETURN(const auto magic, reader.read<std::uint32_t>("ZIP directory entry"));
  if (magic != kDirectoryMagic)
    return make_error(ErrorCode::kBadInput, "ZIP directory: no entry at offset %zu", offset);
  DirectoryEntry entry;
  BANKAI_ASSIGN_OR_RETURN(const auto versions, reader.read<std::uint32_t>("versions"));
  BANKAI_ASSIGN_OR_RETURN(entry.flags, reader.read<std::uint16_t>("flags"));
  BANKAI_ASSIGN_OR_RETURN(entry.method, reader.read<std::uint16_t>("method"));
  BANKAI_ASSIGN_OR_RETURN(const auto time, reader.read<std::uint32_t>("time"));
  BANKAI_ASSIGN_OR_RETURN(entry.crc, reader.read<std::uint32_t>("CRC"));
  BANKAI_ASSIGN_OR_RETURN(entry.stored, reader.read<std::uint32_t>("stored size"));
  BANKAI_ASSIGN_OR_RETURN(entry.size, reader.read<std::uint32_t>("size"));
  BANKAI_ASSIGN_OR_RETURN(const auto name_size, reader.read<std::uint16_t>("name size"));
  BANKAI_ASSIGN_OR_RETURN(const auto extra_size, reader.read<std::uint16_t>("extra size"));
  BANKAI_ASSIGN_OR_RETURN(const auto comment_size, reader.read<std::uint16_t>("comment size"));
  BANKAI_ASSIGN_OR_RETURN(const auto attributes, reader.read_bytes(8, "attributes"));
  BANKAI_ASSIGN_OR_RETURN(entry.local_offset, reader.read<std::uint32_t>("offset"));
  BANKAI_ASSIGN_OR_RETURN(const auto name, reader.read_bytes(name_size, "ZIP entry name"));
  const std::size_t behind = std::size_t{extra_size} + comment_size;
  BANKAI_ASSIGN_OR_RETURN(const auto rest, reader.read_bytes(behind, "ZIP directory entry"));
  static_cast<void>(versions);
  static_cast<void>(time);
  static_cast<void>(attributes);
  static_cast<void>(rest);
  entry.name = {reinterpret_cast<const char*>(name.data()), name.size()};
  return entry;
}

Status check_stored(const DirectoryEntry& entry, std::size_t offset) {
  if (entry.method != 0 || (entry.flags & 1U) != 0)
    return make_error(ErrorCode::kUnsupported,
                      "ZIP entry %s at offset %zu is compressed (method %u) or encrypted; "
                      "expected a stored one",
                      quoted(entry.name).c_str(), offset, unsigned{entry.method});
  if (entry.size == kIs64Bit || entry.local_offset == kIs64Bit)
    return make_error(ErrorCode::kUnsupported, "ZIP entry %s at offset %zu has 64-bit sizes",
                      quoted(entry.name).c_str(), offset);
  if (entry.stored != entry.size)
    return make_error(ErrorCode::kBadInput,
                      "ZIP entry %s at offset %zu: %u bytes stored for %u bytes",
                      quoted(entry.name).c_str(), offset, entry.stored, entry.size);
  return {};
}

// What the local header in front of the data adds: its own name and extra fields. The extent of the
// entry, header included, goes to `extent`.
Result<std::span<const std::byte>> entry_data(std::span<const std::byte> archive,
                                              std::size_t local_offset, std::uint32_t size,
                                              std::string_view name,
                                              std::pair<std::size_t, std::size_t>& extent) {
  if (local_offset > archive.size() || archive.size() - local_offset < kLocalBytes)
    return make_error(ErrorCode::kBadInput, "ZIP entry %s: its header at offset %zu is cut short",
                      quoted(name).c_str(), local_offset);
  ByteReader reader(archive.subspan(local_offset));
  if (reader.read<std::uint32_t>("local header").value() != kLocalMagic)
    return make_error(ErrorCode::kBadInput, "ZIP entry %s: no header at offset %zu",
                      quoted(name).c_str(), local_offset);
  BANKAI_ASSIGN_OR_RETURN(const auto fields, reader.read_bytes(22, "ZIP entry header"));
  static_cast<void>(fields);  // the directory has them
  BANKAI_ASSIGN_OR_RETURN(const auto name_size, reader.read<std::uint16_t>("name size"));
  BANKAI_ASSIGN_OR_RETURN(const auto extra_size, reader.read<std::uint16_t>("extra size"));
  BANKAI_ASSIGN_OR_RETURN(const auto local_name, reader.read_bytes(name_size, "ZIP entry name"));
  if (std::string_view(reinterpret_cast<const char*>(local_name.data()), name_size) != name)
    return make_error(ErrorCode::kBadInput, "ZIP entry %s: the header at offset %zu names another",
                      quoted(name).c_str(), local_offset);
  BANKAI_ASSIGN_OR_RETURN(const auto extra, reader.read_bytes(extra_size, "ZIP extra field"));
  static_cast<void>(extra);  // padding, so that the data is aligned
  BANKAI_ASSIGN_OR_RETURN(const auto data, reader.read_bytes(size, "ZIP entry data"));
  extent = {local_offset, local_offset + reader.offset()};
  return data;
}

std::uint32_t crc_of(std::span<const std::byte> data) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));
}

Status check_distinct(const std::vector<ZipEntry>& entries,
                      std::vector<std::pair<std::size_t, std::size_t>> extents) {
  std::vector<std::string_view> names;
  for (const ZipEntry& entry : entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    return make_error(ErrorCode::kBadInput, "two ZIP entries named %s", quoted(*twice).c_str());
  std::sort(extents.begin(), extents.end());
  for (std::size_t i = 1; i < extents.size(); ++i)
    if (extents[i].first < extents[i - 1].second)
      return make_error(ErrorCode::kBadInput, "ZIP entries overlap at offset %zu",
                        extents[i].first);
  return {};
}

}  // namespace

Result<std::vector<ZipEntry>> read_stored_zip(std::span<const std::byte> archive) {
  BANKAI_ASSIGN_OR_RETURN(const Directory directory, find_directory(archive));
  ByteReader reader(archive.subspan(directory.offset, directory.bytes));
  std::vector<ZipEntry> entries;
  std::vector<std::pair<std::size_t, std::size_t>> extents;
  for (std::size_t i = 0; i < directory.entries; ++i) {
    const std::size_t offset = directory.offset + reader.offset();
    BANKAI_ASSIGN_OR_RETURN(const DirectoryEntry listed, read_directory_entry(reader, offset));
    BANKAI_RETURN_IF_ERROR(check_stored(listed, offset));
    ZipEntry entry;
    entry.name = listed.name;
    BANKAI_ASSIGN_OR_RETURN(
        entry.data, entry_data(archive.first(directory.offset), listed.local_offset, listed.size,
                               entry.name, extents.emplace_back()));
    if (crc_of(entry.data) != listed.crc)
      return make_error(ErrorCode::kBadInput, "ZIP entry %s: CRC 0x%08x, expected 0x%08x",
                        quoted(entry.name).c_str(), crc_of(entry.data), listed.crc);
    entries.push_back(entry);
  }
  if (reader.remaining() != 0)
    return make_error(ErrorCode::kBadInput, "ZIP directory: %zu bytes behind its %zu entries",
                      reader.remaining(), directory.entries);
  BANKAI_RETURN_IF_ERROR(check_distinct(entries, std::move(extents)));
  return entries;
}

}  // namespace bankai::packer
