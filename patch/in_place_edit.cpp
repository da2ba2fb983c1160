#include "patch/in_place_edit.h"

#include <vector>

#include "core/format.h"
#include "patch/edit_journal.h"

namespace bankai::patch {
namespace {

// Beside the file itself, whichever link leads to it: `path` is without links.
std::string journal_of(const std::string& path) { return path + ".bankai-journal"; }
std::string temporary_of(const std::string& path) { return path + ".bankai-journal.tmp"; }

Result<std::vector<std::byte>> read_whole(const std::string& path, FileOps& ops) {
  BANKAI_ASSIGN_OR_RETURN(const int handle, ops.open_to_read(path));
  const Result<std::uint64_t> size = ops.size_bytes(handle);
  std::vector<std::byte> bytes;
  Status status = size.ok() ? Status() : Status(size.error());
  if (status.ok()) {
    bytes.resize(static_cast<std::size_t>(*size));
    status = ops.read_at(handle, 0, bytes);
  }
  ops.close(handle);
  BANKAI_RETURN_IF_ERROR(status);
  return bytes;
}

// Every byte of the touched ranges must be the old or the new one: anything else is another file.
Status check_belongs(const EditJournal& journal, int handle, const std::string& path,
                     FileOps& ops) {
  BANKAI_ASSIGN_OR_RETURN(const std::uint64_t size, ops.size_bytes(handle));
  if (size != journal.file_size_bytes)
    return make_error(ErrorCode::kMismatch,
                      "%s: has %llu bytes, but its journal %s was written for %llu", path.c_str(),
                      static_cast<unsigned long long>(size), journal_of(path).c_str(),
                      static_cast<unsigned long long>(journal.file_size_bytes));
  for (const JournalRange& range : journal.ranges) {
    std::vector<std::byte> found(range.old_bytes.size());
    BANKAI_RETURN_IF_ERROR(ops.read_at(handle, range.offset, found));
    for (std::size_t i = 0; i < found.size(); ++i)
      if (found[i] != range.old_bytes[i] && found[i] != range.new_bytes[i])
        return make_error(ErrorCode::kMismatch,
                          "%s: the byte at %llu is neither the old nor the new one of its journal "
                          "%s: the file was changed by another program",
                          path.c_str(), static_cast<unsigned long long>(range.offset + i),
                          journal_of(path).c_str());
  }
  return {};
}

Result<EditJournal> make_journal(std::span<const FileEdit> edits, int handle,
                                 const std::string& path, FileOps& ops) {
  EditJournal journal;
  BANKAI_ASSIGN_OR_RETURN(journal.file_size_bytes, ops.size_bytes(handle));
  const std::uint64_t size = journal.file_size_bytes;
  if (!edits.empty() &&
      (size < edits.back().size_bytes || edits.back().offset > size - edits.back().size_bytes))
    return make_error(ErrorCode::kBadInput, "%s: an edit at %llu past the end (%llu bytes)",
                      path.c_str(), static_cast<unsigned long long>(edits.back().offset),
                      static_cast<unsigned long long>(size));
  journal.ranges = ranges_of(edits);
  std::size_t next = 0;
  for (JournalRange& range : journal.ranges) {
    BANKAI_RETURN_IF_ERROR(ops.read_at(handle, range.offset, range.old_bytes));
    range.new_bytes = range.old_bytes;
    const std::uint64_t end = range.offset + range.old_bytes.size();
    for (; next < edits.size() && edits[next].offset < end; ++next)
      apply_edit(edits[next], range.new_bytes.data() +
                                  static_cast<std::size_t>(edits[next].offset - range.offset));
  }
  return journal;
}

Status write_journal(const EditJournal& journal, const std::string& path, FileOps& ops) {
  const std::string temporary = temporary_of(path);
  BANKAI_ASSIGN_OR_RETURN(const int handle, ops.create(temporary));
  Status status = ops.write_at(handle, 0, encode_journal(journal));
  if (status.ok()) status = ops.sync(handle);
  ops.close(handle);
  BANKAI_RETURN_IF_ERROR(status);
  BANKAI_RETURN_IF_ERROR(ops.rename(temporary, journal_of(path)));
  return ops.sync_folder_of(path);
}

enum class Content { kOld, kNew };

Status write_ranges(const EditJournal& journal, Content content, int handle, FileOps& ops) {
  for (const JournalRange& range : journal.ranges)
    BANKAI_RETURN_IF_ERROR(ops.write_at(
        handle, range.offset, content == Content::kOld ? range.old_bytes : range.new_bytes));
  return ops.sync(handle);
}

Status remove_journal(const std::string& path, FileOps& ops) {
  BANKAI_RETURN_IF_ERROR(ops.remove(journal_of(path)));
  return ops.sync_folder_of(path);
}

}  // namespace

bool edit_pending(const std::string& path, FileOps& ops) {
  return ops.exists(journal_of(ops.resolve_links(path)));
}

Result<InPlaceEdit> InPlaceEdit::open(const std::string& path, FileOps& ops) {
  std::string resolved = ops.resolve_links(path);
  BANKAI_ASSIGN_OR_RETURN(const int handle, ops.open_locked(resolved));
  InPlaceEdit edit(&ops, std::move(resolved), handle);
  BANKAI_RETURN_IF_ERROR(edit.undo_interrupted());
  return edit;
}

InPlaceEdit::~InPlaceEdit() {
  if (handle_ >= 0) ops_->close(handle_);
}

Status InPlaceEdit::undo_interrupted() {
  if (ops_->exists(temporary_of(path_))) BANKAI_RETURN_IF_ERROR(ops_->remove(temporary_of(path_)));
  if (!ops_->exists(journal_of(path_))) return {};
  BANKAI_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, read_whole(journal_of(path_), *ops_));
  const Result<EditJournal> journal = decode_journal(bytes);
  if (!journal.ok()) return with_context(journal.error(), journal_of(path_));
  BANKAI_RETURN_IF_ERROR(check_belongs(*journal, handle_, path_, *ops_));
  BANKAI_RETURN_IF_ERROR(write_ranges(*journal, Content::kOld, handle_, *ops_));
  BANKAI_RETURN_IF_ERROR(remove_journal(path_, *ops_));
  undone_ = true;
  return {};
}

Status InPlaceEdit::commit(std::span<const FileEdit> edits) {
  if (edits.empty()) return {};
  BANKAI_ASSIGN_OR_RETURN(const EditJournal journal, make_journal(edits, handle_, path_, *ops_));
  Status status = write_journal(journal, path_, *ops_);
  if (status.ok()) status = write_ranges(journal, Content::kNew, handle_, *ops_);
  if (status.ok()) status = remove_journal(path_, *ops_);
  if (status.ok()) return {};
  // The first error is the one to report; what cannot be undone now is undone by the next open().
  static_cast<void>(undo_interrupted());
  return status;
}

}  // namespace bankai::patch
