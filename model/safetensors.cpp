#include "model/safetensors.h"

#include <utility>

#include "core/check.h"
#include "core/format.h"
#include "model/safetensors_index.h"

namespace bankai::model {

Result<SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes, std::string name) {
  SafetensorsFile file;
  auto header = read_safetensors_header(bytes);
  if (!header.ok()) return with_context(std::move(header).error(), name);
  file.header_ = std::move(header).value();
  file.path_ = std::move(name);
  return file;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::open(path));
  BANKAI_ASSIGN_OR_RETURN(SafetensorsFile file, parse(mapping.bytes(), path));
  file.mapping_ = std::move(mapping);
  return file;
}

void SafetensorsFile::release(std::span<const std::byte> part) const {
  if (mapping_.has_value()) mapping_->release(part);
}

Result<SafetensorsSet> SafetensorsSet::open(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const SafetensorsIndex index, read_safetensors_index(path));
  SafetensorsSet set;
  std::map<std::string, std::size_t> numbers;  // of the files, by path
  for (const std::string& shard : index.files) {
    BANKAI_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::open(shard));
    numbers[shard] = set.files_.size();
    set.files_.push_back(std::move(file));
  }
  for (std::size_t number = 0; number < set.files_.size(); ++number) {
    const std::vector<SafetensorsTensor>& tensors = set.files_[number].tensors();
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      // A tensor that the index gives to another shard is not this one's.
      const auto wanted = index.file_of.find(tensors[i].name);
      if (index.has_map && (wanted == index.file_of.end() || numbers.at(wanted->second) != number))
        continue;
      set.index_.emplace(tensors[i].name, Place{number, i});
    }
  }
  for (const auto& [name, file] : index.file_of)
    if (set.find(name) == nullptr)
      return make_error(ErrorCode::kBadInput, "%s: tensor %s is missing, which the index expects",
                        file.c_str(), quoted(name).c_str());
  return set;
}

const SafetensorsTensor* SafetensorsSet::find(std::string_view name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) return nullptr;
  return &files_[found->second.file].tensors()[found->second.tensor];
}

std::vector<const SafetensorsTensor*> SafetensorsSet::tensors() const {
  std::vector<const SafetensorsTensor*> tensors;
  for (const auto& [name, place] : index_)
    tensors.push_back(&files_[place.file].tensors()[place.tensor]);
  return tensors;
}

const SafetensorsFile& SafetensorsSet::file_of(const SafetensorsTensor& tensor) const {
  const auto found = index_.find(tensor.name);
  BANKAI_CHECK(found != index_.end(), "a tensor of this set");
  return files_[found->second.file];
}

}  // namespace bankai::model
