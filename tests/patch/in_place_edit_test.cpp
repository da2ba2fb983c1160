#include "patch/in_place_edit.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "core/atomic_file.h"
#include "core/mapped_file.h"
#include "patch/edit_journal.h"
#include "tests/patch/simulated_disk.h"
#include "tests/support/temp_dir.h"

namespace bankai::patch {
namespace {

using Bytes = std::vector<std::byte>;

Bytes old_content() {
  Bytes bytes(4000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
  return bytes;
}

std::vector<FileEdit> sample_edits() {
  constexpr std::uint64_t kOnes = ~std::uint64_t{0};
  return {{2, {kOnes, kOnes}},
          {20, {kOnes, 1}},
          {38, {kOnes, kOnes}},
          {1500, {0, 1U << 5U}},
          {3984, {kOnes, kOnes}}};
}

Bytes new_content() {
  Bytes bytes = old_content();
  for (const FileEdit& edit : sample_edits()) {
    GroupBits value;
    std::byte* place = bytes.data() + static_cast<std::size_t>(edit.offset);
    std::memcpy(value.data(), place, sizeof value);
    value[0] ^= edit.mask[0];
    value[1] ^= edit.mask[1];
    std::memcpy(place, value.data(), sizeof value);
  }
  return bytes;
}

std::string as_text(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string make_file(const testing::TempDir& folder) {
  const std::string path = folder.path("model.gguf");
  EXPECT_TRUE(write_file(path, as_text(old_content()), Overwrite::kReplace).ok());
  return path;
}

Status run_edit(const std::string& path, FileOps& ops) {
  BANKAI_ASSIGN_OR_RETURN(InPlaceEdit edit, InPlaceEdit::open(path, ops));
  return edit.commit(sample_edits());
}

// How a run is disturbed at one of its changes to the disk.
enum class Disturbance { kExitBefore, kExitAfter, kExitInTheMiddle, kFail };

class DisturbedFileOps : public FileOps {
 public:
  DisturbedFileOps(Disturbance disturbance, int step) : disturbance_(disturbance), left_(step) {}

  std::string resolve_links(const std::string& path) override { return real_.resolve_links(path); }
  Result<int> open_locked(const std::string& path) override { return real_.open_locked(path); }
  Result<int> open_to_read(const std::string& path) override { return real_.open_to_read(path); }
  Result<int> create(const std::string& path) override {
    Result<int> handle = Error{};
    const Status status = step([&] {
      handle = real_.create(path);
      return handle.ok() ? Status() : Status(handle.error());
    });
    if (!status.ok()) return status.error();
    return handle;
  }
  void close(int handle) override { real_.close(handle); }
  bool exists(const std::string& path) override { return real_.exists(path); }
  Result<std::uint64_t> size_bytes(int handle) override { return real_.size_bytes(handle); }
  Status read_at(int handle, std::uint64_t offset, std::span<std::byte> bytes) override {
    return real_.read_at(handle, offset, bytes);
  }
  Status write_at(int handle, std::uint64_t offset, std::span<const std::byte> bytes) override {
    if (left_ == 0 && disturbance_ == Disturbance::kExitInTheMiddle) {
      static_cast<void>(real_.write_at(handle, offset, bytes.first(bytes.size() / 2)));
      ::_exit(kStopped);
    }
    return step([&] { return real_.write_at(handle, offset, bytes); });
  }
  Status sync(int handle) override {
    return step([&] { return real_.sync(handle); });
  }
  Status rename(const std::string& from, const std::string& to) override {
    return step([&] { return real_.rename(from, to); });
  }
  Status remove(const std::string& path) override {
    return step([&] { return real_.remove(path); });
  }
  Status sync_folder_of(const std::string& path) override {
    return step([&] { return real_.sync_folder_of(path); });
  }

  static constexpr int kStopped = 9;

 private:
  template <typename Action>
  Status step(Action action) {
    const bool now = left_-- == 0;
    if (now && disturbance_ == Disturbance::kFail) return make_error(ErrorCode::kIo, "disturbed");
    if (now && disturbance_ != Disturbance::kExitAfter) ::_exit(kStopped);
    const Status status = action();
    if (now) ::_exit(kStopped);
    return status;
  }

  FileOps& real_ = system_file_ops();
  Disturbance disturbance_;
  int left_;
};

// Runs `action` in a child process; true if it came to its end.
template <typename Action>
bool finishes(Action action) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(action() ? 0 : 1);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_NE(WEXITSTATUS(status), 1) << "the child failed instead of being stopped";
  return WEXITSTATUS(status) == 0;
}

void expect_clean(const testing::TempDir& folder) {
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path("")))
    ++files;
  EXPECT_EQ(files, 1U) << "nothing but the model is left in the folder";
}

TEST(InPlaceEdit, AppliesEdits) {
  const testing::TempDir folder;
  const std::string path = make_file(folder);
  ASSERT_TRUE(run_edit(path, system_file_ops()).ok());
  EXPECT_EQ(read_file(path).value(), as_text(new_content()));
  ASSERT_TRUE(run_edit(path, system_file_ops()).ok());
  EXPECT_EQ(read_file(path).value(), as_text(old_content()));
  expect_clean(folder);
}

TEST(InPlaceEdit, IsOldOrNewAfterAKillAtAnyStep) {
  for (const Disturbance disturbance :
       {Disturbance::kExitBefore, Disturbance::kExitAfter, Disturbance::kExitInTheMiddle}) {
    for (int step = 0;; ++step) {
      const testing::TempDir folder;
      const std::string path = make_file(folder);
      const bool finished = finishes([&] {
        DisturbedFileOps ops(disturbance, step);
        return run_edit(path, ops).ok();
      });
      const bool pending = edit_pending(path);
      const Result<InPlaceEdit> edit = InPlaceEdit::open(path);
      ASSERT_TRUE(edit.ok()) << edit.error().message;
      EXPECT_EQ(edit->undone(), pending);
      const std::string content = read_file(path).value();
      const bool is_new = content == as_text(new_content());
      EXPECT_TRUE(is_new || content == as_text(old_content()));
      EXPECT_TRUE(is_new || !finished) << "a finished edit was lost";
      EXPECT_FALSE(is_new && pending) << "a pending edit was not undone";
      expect_clean(folder);
      if (finished) {
        EXPECT_GT(step, 10) << "an edit has more steps than that";
        break;
      }
    }
  }
}

TEST(InPlaceEdit, UndoingCanItselfBeKilled) {
  // Steps 0 to 4 make the journal; the edit is stopped while it writes the file.
  for (const int stop_edit_at : {5, 6, 7, 8}) {
    for (int step = 0;; ++step) {
      const testing::TempDir folder;
      const std::string path = make_file(folder);
      ASSERT_FALSE(finishes([&] {
        DisturbedFileOps ops(Disturbance::kExitInTheMiddle, stop_edit_at);
        return run_edit(path, ops).ok();
      }));
      ASSERT_TRUE(edit_pending(path));
      const bool finished = finishes([&] {
        DisturbedFileOps ops(Disturbance::kExitInTheMiddle, step);
        return InPlaceEdit::open(path, ops).ok();
      });
      ASSERT_TRUE(InPlaceEdit::open(path).ok());
      EXPECT_EQ(read_file(path).value(), as_text(old_content()));
      expect_clean(folder);
      if (finished) break;
    }
  }
}

TEST(InPlaceEdit, AnErrorAtAnyStepLeavesOldOrNew) {
  for (int step = 0;; ++step) {
    const testing::TempDir folder;
    const std::string path = make_file(folder);
    DisturbedFileOps ops(Disturbance::kFail, step);
    const Status status = run_edit(path, ops);
    ASSERT_TRUE(InPlaceEdit::open(path).ok());
    const std::string content = read_file(path).value();
    expect_clean(folder);
    if (status.ok()) {
      EXPECT_EQ(content, as_text(new_content()));
      break;
    }
    EXPECT_TRUE(content == as_text(old_content()) || content == as_text(new_content()));
  }
}

// The sync calls and their order: without any one of them this fails.
TEST(InPlaceEdit, IsOldOrNewAfterPowerLossAtAnyStep) {
  for (int step = 0;; ++step) {
    bool lost_power = false;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      SimulatedDisk disk;
      disk.put("model", old_content());
      disk.cut_power_after(step);
      bool finished = false;
      try {
        finished = run_edit("model", disk).ok();
      } catch (const PowerLoss&) {
        lost_power = true;
      }
      disk.restart(seed);
      // Now and then the power goes again while the edit is being undone.
      disk.cut_power_after(seed % 2 == 0 ? static_cast<int>(seed / 2 % 10) : -1);
      try {
        static_cast<void>(InPlaceEdit::open("model", disk));
      } catch (const PowerLoss&) {
      }
      disk.restart(seed + 1);
      const Result<InPlaceEdit> edit = InPlaceEdit::open("model", disk);
      ASSERT_TRUE(edit.ok()) << edit.error().message << " step " << step << " seed " << seed;
      const bool is_new = disk.content("model") == new_content();
      EXPECT_TRUE(is_new || disk.content("model") == old_content())
          << "step " << step << " seed " << seed;
      EXPECT_TRUE(is_new || !finished) << "a finished edit was lost";
      EXPECT_FALSE(edit_pending("model", disk));
    }
    if (!lost_power) break;
  }
}

TEST(InPlaceEdit, RefusesADamagedJournal) {
  const testing::TempDir folder;
  const std::string path = make_file(folder);
  ASSERT_FALSE(finishes([&] {
    DisturbedFileOps ops(Disturbance::kExitInTheMiddle, 6);
    return run_edit(path, ops).ok();
  }));
  const std::string half_written = read_file(path).value();
  const std::string journal = read_file(path + ".bankai-journal").value();
  const auto expect_refused = [&](const std::string& damaged) {
    ASSERT_TRUE(write_file(path + ".bankai-journal", damaged, Overwrite::kReplace).ok());
    const Result<InPlaceEdit> edit = InPlaceEdit::open(path);
    ASSERT_FALSE(edit.ok());
    EXPECT_EQ(edit.error().code, ErrorCode::kBadInput) << edit.error().message;
    EXPECT_EQ(read_file(path).value(), half_written);
    EXPECT_TRUE(edit_pending(path));
  };
  for (std::size_t size = 0; size < journal.size(); size += 29)
    expect_refused(journal.substr(0, size));
  for (std::size_t at = 0; at < journal.size(); at += 13) {
    std::string changed = journal;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    expect_refused(changed);
  }
  ASSERT_TRUE(write_file(path + ".bankai-journal", journal, Overwrite::kReplace).ok());
  EXPECT_TRUE(InPlaceEdit::open(path).value().undone());
  EXPECT_EQ(read_file(path).value(), as_text(old_content()));
}

TEST(InPlaceEdit, RefusesAJournalOfAnotherFile) {
  const testing::TempDir folder;
  const std::string path = make_file(folder);
  ASSERT_FALSE(finishes([&] {
    DisturbedFileOps ops(Disturbance::kExitBefore, 6);
    return run_edit(path, ops).ok();
  }));
  Bytes other = old_content();
  other[1501] ^= std::byte{0x80};  // a byte that the journal has, neither old nor new
  ASSERT_TRUE(write_file(path, as_text(other), Overwrite::kReplace).ok());
  EXPECT_EQ(InPlaceEdit::open(path).error().code, ErrorCode::kMismatch);
  other.pop_back();
  ASSERT_TRUE(write_file(path, as_text(other), Overwrite::kReplace).ok());
  EXPECT_EQ(InPlaceEdit::open(path).error().code, ErrorCode::kMismatch);
  EXPECT_EQ(read_file(path).value(), as_text(other));
}

TEST(InPlaceEdit, LocksTheFile) {
  const testing::TempDir folder;
  const std::string path = make_file(folder);
  {
    const Result<InPlaceEdit> first = InPlaceEdit::open(path);
    ASSERT_TRUE(first.ok());
    const Result<InPlaceEdit> second = InPlaceEdit::open(path);
    ASSERT_FALSE(second.ok());
    EXPECT_NE(second.error().message.find("another process"), std::string::npos);
  }
  EXPECT_TRUE(InPlaceEdit::open(path).ok());
}

TEST(InPlaceEdit, FollowsSymbolicLinks) {
  const testing::TempDir folder;
  const std::string path = make_file(folder);
  ASSERT_FALSE(finishes([&] {
    DisturbedFileOps ops(Disturbance::kExitBefore, 7);
    return run_edit(path, ops).ok();
  }));
  const testing::TempDir elsewhere;
  std::filesystem::create_symlink(path, elsewhere.path("link"));
  EXPECT_TRUE(edit_pending(elsewhere.path("link")));
  EXPECT_TRUE(InPlaceEdit::open(elsewhere.path("link")).value().undone());
  EXPECT_EQ(read_file(path).value(), as_text(old_content()));
}

TEST(InPlaceEdit, RefusesEditsPastTheEnd) {
  const testing::TempDir folder;
  const std::string path = make_file(folder);
  InPlaceEdit edit = InPlaceEdit::open(path).value();
  for (const std::uint64_t offset : {std::uint64_t{3985}, ~std::uint64_t{0} - 8})
    EXPECT_EQ(edit.commit(std::vector<FileEdit>{{offset, {1, 1}}}).error().code,
              ErrorCode::kBadInput);
  EXPECT_EQ(read_file(path).value(), as_text(old_content()));
}

TEST(EditJournal, RoundTripAndRanges) {
  EditJournal journal;
  journal.file_size_bytes = 4000;
  journal.ranges = ranges_of(sample_edits());
  ASSERT_EQ(journal.ranges.size(), 3U);
  EXPECT_EQ(journal.ranges[0].offset, 2U);
  EXPECT_EQ(journal.ranges[0].old_bytes.size(), 52U);
  EXPECT_EQ(decode_journal(encode_journal(journal)).value(), journal);
  journal.file_size_bytes = 3999;
  EXPECT_FALSE(decode_journal(encode_journal(journal)).ok()) << "a range past the end";
  journal.file_size_bytes = 4000;
  std::swap(journal.ranges[0], journal.ranges[1]);
  EXPECT_FALSE(decode_journal(encode_journal(journal)).ok()) << "out of order";
}

}  // namespace
}  // namespace bankai::patch
