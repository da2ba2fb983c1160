#include "patch/edit_journal.h"

#include <algorithm>
#include <array>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/format.h"
#include "core/sha256.h"

namespace bankai::patch {
namespace {

constexpr std::array<std::byte, 8> kJournalMagic = {std::byte{'B'},  std::byte{'K'}, std::byte{'J'},
                                                    std::byte{'O'},  std::byte{'U'}, std::byte{'R'},
                                                    std::byte{0x1a}, std::byte{1}};

// Edits at most this far apart share a range: the groups of a row are 2 bytes apart in GGUF.
constexpr std::uint64_t kJoinedGapBytes = 64;
constexpr std::uint64_t kMaxRangeBytes = std::uint64_t{1} << 20U;

Result<JournalRange> read_range(ByteReader& reader, std::uint64_t begin, std::uint64_t end) {
  JournalRange range;
  BANKAI_ASSIGN_OR_RETURN(range.offset, reader.read<std::uint64_t>("offset of a range"));
  BANKAI_ASSIGN_OR_RETURN(const auto length, reader.read<std::uint64_t>("length of a range"));
  if (length == 0 || range.offset < begin || range.offset >= end || length > end - range.offset)
    return make_error(
        ErrorCode::kBadInput, "the range at %llu of %llu bytes does not lie between %llu and %llu",
        static_cast<unsigned long long>(range.offset), static_cast<unsigned long long>(length),
        static_cast<unsigned long long>(begin), static_cast<unsigned long long>(end));
  BANKAI_ASSIGN_OR_RETURN(const auto old_bytes, reader.read_bytes(length, "old bytes"));
  BANKAI_ASSIGN_OR_RETURN(const auto new_bytes, reader.read_bytes(length, "new bytes"));
  range.old_bytes.assign(old_bytes.begin(), old_bytes.end());
  range.new_bytes.assign(new_bytes.begin(), new_bytes.end());
  return range;
}

}  // namespace

std::vector<std::byte> encode_journal(const EditJournal& journal) {
  ByteWriter writer;
  writer.write_bytes(kJournalMagic);
  writer.write(journal.file_size_bytes);
  writer.write(static_cast<std::uint64_t>(journal.ranges.size()));
  for (const JournalRange& range : journal.ranges) {
    writer.write(range.offset);
    writer.write(static_cast<std::uint64_t>(range.old_bytes.size()));
    writer.write_bytes(range.old_bytes);
    writer.write_bytes(range.new_bytes);
  }
  Sha256 hash;
  hash.update(writer.bytes());
  writer.write_bytes(hash.finish());
  return std::move(writer).bytes();
}

Result<EditJournal> decode_journal(std::span<const std::byte> bytes) {
  constexpr std::size_t kDigestBytes = sizeof(Sha256Digest);
  if (bytes.size() < kJournalMagic.size() + kDigestBytes ||
      !std::equal(kJournalMagic.begin(), kJournalMagic.end(), bytes.begin()))
    return make_error(ErrorCode::kBadInput, "not a journal of this program");
  const auto content = bytes.first(bytes.size() - kDigestBytes);
  Sha256 hash;
  hash.update(content);
  const Sha256Digest digest = hash.finish();
  if (!std::equal(digest.begin(), digest.end(), bytes.last(kDigestBytes).begin()))
    return make_error(ErrorCode::kBadInput, "the journal is damaged: its checksum does not fit");

  ByteReader reader(content.subspan(kJournalMagic.size()));
  EditJournal journal;
  BANKAI_ASSIGN_OR_RETURN(journal.file_size_bytes, reader.read<std::uint64_t>("file size"));
  BANKAI_ASSIGN_OR_RETURN(const auto count, reader.read<std::uint64_t>("number of ranges"));
  std::uint64_t end = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    BANKAI_ASSIGN_OR_RETURN(JournalRange range, read_range(reader, end, journal.file_size_bytes));
    end = range.offset + range.old_bytes.size();
    journal.ranges.push_back(std::move(range));
  }
  if (reader.remaining() != 0)
    return make_error(ErrorCode::kBadInput, "%zu bytes after the last range", reader.remaining());
  return journal;
}

std::vector<JournalRange> ranges_of(std::span<const FileEdit> edits) {
  std::vector<JournalRange> ranges;
  std::uint64_t end = 0;
  for (const FileEdit& edit : edits) {
    const std::uint64_t edit_end = edit.offset + edit.size_bytes;
    const bool joins = !ranges.empty() && edit.offset - end <= kJoinedGapBytes &&
                       edit_end - ranges.back().offset <= kMaxRangeBytes;
    if (!joins) ranges.push_back({edit.offset, {}, {}});
    ranges.back().old_bytes.resize(static_cast<std::size_t>(edit_end - ranges.back().offset));
    end = edit_end;
  }
  for (JournalRange& range : ranges) range.new_bytes.resize(range.old_bytes.size());
  return ranges;
}

}  // namespace bankai::patch
