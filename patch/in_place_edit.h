// Editing a large file in place so that it is entirely old or entirely new, whatever stops the
// program: a kill at any system call or the loss of power.
//
// Order of an edit: the journal (old and new bytes of the touched ranges) is written under a
// temporary name, synced, renamed to FILE.bankai-journal, the folder synced; only then the file is
// changed and synced; then the journal is removed and the folder synced. An edit counts once the
// journal is gone. A journal that is found shows an edit that never counted: the old bytes are put
// back. A temporary journal alone shows that the file has not been touched.
#pragma once

#include <span>
#include <string>
#include <utility>

#include "core/result.h"
#include "patch/apply.h"
#include "patch/file_ops.h"

namespace bankai::patch {

// True if an interrupted edit of `path` waits to be undone: its content must not be used before.
bool edit_pending(const std::string& path, FileOps& ops = system_file_ops());

// Exclusive access to a file that is to be edited. Not thread-safe; holds a lock while it lives.
class InPlaceEdit {
 public:
  // Locks the file and undoes an interrupted edit. Errors: kIo (also: another process is editing);
  // kBadInput if the journal of an interrupted edit is damaged, kMismatch if the file is not the
  // one that it was written for. Then neither file nor journal has been changed.
  static Result<InPlaceEdit> open(const std::string& path, FileOps& ops = system_file_ops());

  InPlaceEdit(InPlaceEdit&& other) noexcept
      : ops_(other.ops_),
        path_(std::move(other.path_)),
        handle_(std::exchange(other.handle_, -1)),
        undone_(other.undone_) {}
  InPlaceEdit& operator=(InPlaceEdit&&) = delete;
  ~InPlaceEdit();

  // True if open() undid an interrupted edit.
  bool undone() const { return undone_; }

  // Applies the edits (sorted, not overlapping). On an error (kIo) the old content is put back, now
  // or, where that fails too, by the next open(). kBadInput: an edit past the end of the file.
  Status commit(std::span<const FileEdit> edits);

 private:
  InPlaceEdit(FileOps* ops, std::string path, int handle)
      : ops_(ops), path_(std::move(path)), handle_(handle) {}
  Status undo_interrupted();

  FileOps* ops_;
  std::string path_;  // without symbolic links
  int handle_;
  bool undone_ = false;
};

}  // namespace bankai::patch
