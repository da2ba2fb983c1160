// A JSON file from outside as a tree whose values say where they stand when they are not what was
// expected. Values share the tree; they may outlive each other.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace bankai::packer {

class JsonTree {
 public:
  // Errors name the file: kIo; kBadInput for what patch::check_json refuses.
  static Result<JsonTree> read(const std::string& path);
  static Result<JsonTree> parse(std::string_view text, const std::string& name);

  // The member of an object; nothing if it is absent or null, or this is no object.
  std::optional<JsonTree> find(const char* key) const;

  bool is_text() const;
  bool is_list() const;
  bool is_object() const;

  // Errors (kBadInput): "FILE: 'a.b' is a string, expected …".
  Result<std::string> text() const;
  Result<double> number() const;
  Result<std::uint64_t> whole_number() const;  // not negative
  Result<bool> truth() const;
  Result<std::vector<JsonTree>> items() const;                            // of a list
  Result<std::vector<std::pair<std::string, JsonTree>>> members() const;  // by key

  // The same of a member, or the fallback where find() has nothing.
  Result<std::string> text_of(const char* key, const std::string& fallback) const;
  Result<double> number_of(const char* key, double fallback) const;
  Result<std::uint64_t> whole_number_of(const char* key, std::uint64_t fallback) const;
  Result<bool> truth_of(const char* key, bool fallback) const;

  // "FILE: 'a.b'", for messages.
  std::string where() const;

 private:
  struct Document;  // the file's name and the tree
  JsonTree(std::shared_ptr<const Document> document, const void* node, std::string path)
      : document_(std::move(document)), node_(node), path_(std::move(path)) {}
  JsonTree child(const void* node, const std::string& key) const;
  Error unexpected(const char* expected) const;

  std::shared_ptr<const Document> document_;
  const void* node_ = nullptr;  // a value of the document's tree
  std::string path_;            // "a.b"; empty for the root
};

}  // namespace bankai::packer
