// A disk in memory that can lose power: what was not synced survives in part, torn at any byte, and
// only the oldest of the unsynced changes of the folder survive.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/counter_rng.h"
#include "core/format.h"
#include "patch/file_ops.h"

namespace bankai::patch {

// Thrown by the simulated disk when the power goes; tests catch it.
struct PowerLoss {};

class SimulatedDisk : public FileOps {
 public:
  using Bytes = std::vector<std::byte>;

  // The power goes at the change number `steps` (writes, syncs, creations, renames, removals), half
  // way through it; never if negative.
  void cut_power_after(int steps) { steps_left_ = steps; }

  void put(const std::string& path, Bytes content) {
    auto file = std::make_shared<File>();
    file->durable = file->current = std::move(content);
    folder_[path] = durable_folder_[path] = file;
  }
  const Bytes& content(const std::string& path) const { return folder_.at(path)->current; }

  // The disk as it comes up again: which unsynced changes survived is drawn from `seed`.
  void restart(std::uint64_t seed) {
    const CounterRng rng(seed);
    std::uint64_t draw = 0;
    handles_.clear();
    steps_left_ = -1;
    const std::uint64_t survivors = rng.below(draw++, pending_folder_.size() + 1);
    for (std::uint64_t i = 0; i < survivors; ++i)
      pending_folder_[static_cast<std::size_t>(i)](durable_folder_);
    pending_folder_.clear();
    folder_ = durable_folder_;
    for (auto& [path, file] : folder_) {
      for (const auto& [offset, bytes] : file->pending) {
        if (rng.below(draw++, 2) == 0) continue;
        const auto torn = static_cast<std::size_t>(rng.below(draw++, bytes.size() + 1));
        store(file->durable, offset, {bytes.begin(), bytes.begin() + static_cast<long>(torn)});
      }
      file->pending.clear();
      file->current = file->durable;
    }
  }

  std::string resolve_links(const std::string& path) override { return path; }
  Result<int> open_locked(const std::string& path) override { return open_to_read(path); }
  Result<int> open_to_read(const std::string& path) override {
    if (!exists(path)) return make_error(ErrorCode::kIo, "%s: not there", path.c_str());
    handles_.push_back(folder_.at(path));
    return static_cast<int>(handles_.size()) - 1;
  }
  Result<int> create(const std::string& path) override {
    if (exists(path)) return make_error(ErrorCode::kIo, "%s: exists", path.c_str());
    change_folder([path, file = std::make_shared<File>()](Folder& folder) { folder[path] = file; });
    return open_to_read(path);
  }
  void close(int) override {}
  bool exists(const std::string& path) override { return folder_.contains(path); }
  Result<std::uint64_t> size_bytes(int handle) override { return file(handle).current.size(); }
  Status read_at(int handle, std::uint64_t offset, std::span<std::byte> bytes) override {
    const Bytes& from = file(handle).current;
    if (offset + bytes.size() > from.size()) return make_error(ErrorCode::kIo, "too short");
    std::copy_n(from.begin() + static_cast<long>(offset), bytes.size(), bytes.begin());
    return {};
  }
  Status write_at(int handle, std::uint64_t offset, std::span<const std::byte> bytes) override {
    File& to = file(handle);
    to.pending.emplace_back(offset, Bytes(bytes.begin(), bytes.end()));
    store(to.current, offset, to.pending.back().second);
    step();
    return {};
  }
  Status sync(int handle) override {
    step();
    File& synced = file(handle);
    synced.pending.clear();
    synced.durable = synced.current;
    return {};
  }
  Status rename(const std::string& from, const std::string& to) override {
    change_folder([from, to](Folder& folder) {
      if (folder.contains(from)) folder[to] = folder.at(from);
      folder.erase(from);
    });
    return {};
  }
  Status remove(const std::string& path) override {
    change_folder([path](Folder& folder) { folder.erase(path); });
    return {};
  }
  Status sync_folder_of(const std::string&) override {
    step();
    pending_folder_.clear();
    durable_folder_ = folder_;
    return {};
  }

 private:
  struct File {
    Bytes durable;
    Bytes current;
    std::vector<std::pair<std::uint64_t, Bytes>> pending;
  };
  using Folder = std::map<std::string, std::shared_ptr<File>>;

  static void store(Bytes& into, std::uint64_t offset, const Bytes& bytes) {
    into.resize(std::max(into.size(), static_cast<std::size_t>(offset) + bytes.size()));
    std::copy(bytes.begin(), bytes.end(), into.begin() + static_cast<long>(offset));
  }
  File& file(int handle) { return *handles_.at(static_cast<std::size_t>(handle)); }
  void change_folder(std::function<void(Folder&)> change) {
    change(folder_);
    pending_folder_.push_back(std::move(change));
    step();
  }
  void step() {
    if (steps_left_ == 0) throw PowerLoss{};
    if (steps_left_ > 0) --steps_left_;
  }

  Folder folder_;
  Folder durable_folder_;
  std::vector<std::function<void(Folder&)>> pending_folder_;
  std::vector<std::shared_ptr<File>> handles_;
  int steps_left_ = -1;
};

}  // namespace bankai::patch
