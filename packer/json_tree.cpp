#include "packer/json_tree.h"

#include <nlohmann/json.hpp>

#include "core/format.h"
#include "core/mapped_file.h"
#include "patch/json_guard.h"

namespace bankai::packer {
namespace {

using Json = nlohmann::json;

const Json& json_of(const void* node) { return *static_cast<const Json*>(node); }

template <typename T>
Result<T> or_fallback(const std::optional<JsonTree>& found, T fallback,
                      Result<T> (JsonTree::*get)() const) {
  if (!found) return fallback;
  return ((*found).*get)();
}

}  // namespace

struct JsonTree::Document {
  std::string name;
  Json tree;
};

Result<JsonTree> JsonTree::read(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const std::string text, read_file(path));
  return parse(text, path);
}

Result<JsonTree> JsonTree::parse(std::string_view text, const std::string& name) {
  if (const Status checked = patch::check_json(text); !checked.ok())
    return with_context(checked.error(), name);
  auto document = std::make_shared<Document>();
  document->name = name;
  document->tree = Json::parse(text.begin(), text.end(), nullptr, false);
  const void* root = &document->tree;
  return JsonTree(std::move(document), root, "");
}

std::optional<JsonTree> JsonTree::find(const char* key) const {
  const Json& json = json_of(node_);
  if (!json.is_object()) return std::nullopt;
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return std::nullopt;
  return child(&*found, key);
}

bool JsonTree::is_text() const { return json_of(node_).is_string(); }
bool JsonTree::is_list() const { return json_of(node_).is_array(); }
bool JsonTree::is_object() const { return json_of(node_).is_object(); }

Result<std::string> JsonTree::text() const {
  if (!is_text()) return unexpected("a string");
  return json_of(node_).get<std::string>();
}

Result<double> JsonTree::number() const {
  if (!json_of(node_).is_number()) return unexpected("a number");
  return json_of(node_).get<double>();
}

Result<std::uint64_t> JsonTree::whole_number() const {
  if (!json_of(node_).is_number_unsigned()) return unexpected("a whole number of at least 0");
  return json_of(node_).get<std::uint64_t>();
}

Result<bool> JsonTree::truth() const {
  if (!json_of(node_).is_boolean()) return unexpected("true or false");
  return json_of(node_).get<bool>();
}

Result<std::vector<JsonTree>> JsonTree::items() const {
  if (!is_list()) return unexpected("a list");
  std::vector<JsonTree> items;
  for (const Json& item : json_of(node_))
    items.push_back(child(&item, std::to_string(items.size())));
  return items;
}

Result<std::vector<std::pair<std::string, JsonTree>>> JsonTree::members() const {
  if (!is_object()) return unexpected("an object");
  std::vector<std::pair<std::string, JsonTree>> members;
  for (const auto& [key, value] : json_of(node_).items())
    members.emplace_back(key, child(&value, key));
  return members;
}

Result<std::string> JsonTree::text_of(const char* key, const std::string& fallback) const {
  return or_fallback(find(key), fallback, &JsonTree::text);
}
Result<double> JsonTree::number_of(const char* key, double fallback) const {
  return or_fallback(find(key), fallback, &JsonTree::number);
}
Result<std::uint64_t> JsonTree::whole_number_of(const char* key, std::uint64_t fallback) const {
  return or_fallback(find(key), fallback, &JsonTree::whole_number);
}
Result<bool> JsonTree::truth_of(const char* key, bool fallback) const {
  return or_fallback(find(key), fallback, &JsonTree::truth);
}

JsonTree JsonTree::child(const void* node, const std::string& key) const {
  return {document_, node, path_.empty() ? key : path_ + "." + key};
}

std::string JsonTree::where() const {
  return path_.empty() ? document_->name : document_->name + ": " + bankai::quoted(path_);
}

Error JsonTree::unexpected(const char* expected) const {
  return make_error(ErrorCode::kBadInput, "%s is a %s, expected %s", where().c_str(),
                    json_of(node_).type_name(), expected);
}

}  // namespace bankai::packer
