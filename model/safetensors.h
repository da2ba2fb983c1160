// Reads tensors from safetensors files, mapped: one file, or the shards of a checkpoint together.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/mapped_file.h"
#include "core/result.h"
#include "model/safetensors_header.h"

namespace bankai::model {

class SafetensorsFile {
 public:
  // Errors name the file: kIo, and those of read_safetensors_header.
  static Result<SafetensorsFile> open(const std::string& path);
  // The same over bytes in memory that outlive the object.
  static Result<SafetensorsFile> parse(std::span<const std::byte> bytes, std::string name);

  const std::string& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  // In the order of their data.
  const std::vector<SafetensorsTensor>& tensors() const { return header_.tensors; }
  // Tells the system that this part of a tensor's data is not needed for now.
  void release(std::span<const std::byte> part) const;

 private:
  std::optional<MappedFile> mapping_;
  std::string path_;
  SafetensorsHeader header_;
};

// All tensors of a checkpoint by name.
class SafetensorsSet {
 public:
  // A file, or a folder that holds model.safetensors, or the shards that
  // model.safetensors.index.json names. Errors, naming the file: kIo, kBadInput (a shard or tensor
  // of the index is missing, a shard's name leaves the folder, and those of SafetensorsFile).
  static Result<SafetensorsSet> open(const std::string& path);

  // nullptr if absent.
  const SafetensorsTensor* find(std::string_view name) const;
  // By name, in alphabetical order.
  std::vector<const SafetensorsTensor*> tensors() const;
  // The file that holds the tensor. REQUIRES: a tensor of this set.
  const SafetensorsFile& file_of(const SafetensorsTensor& tensor) const;

 private:
  struct Place {
    std::size_t file = 0;
    std::size_t tensor = 0;
  };

  std::vector<SafetensorsFile> files_;
  std::map<std::string, Place, std::less<>> index_;
};

}  // namespace bankai::model
