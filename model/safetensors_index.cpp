#include "model/safetensors_index.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/format.h"
#include "core/mapped_file.h"

namespace bankai::model {
namespace {

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr std::size_t kMaxDepth = 16;

// The callbacks of nlohmann's SAX parser: keeps the object "weight_map" of strings and passes over
// everything else.
class MapParser {
 public:
  using Json = nlohmann::json;

  bool null() { return check_inside("null"); }
  bool boolean(bool) { return check_inside("a truth value"); }
  bool number_integer(Json::number_integer_t) { return check_inside("a number"); }
  bool number_unsigned(Json::number_unsigned_t) { return check_inside("a number"); }
  bool number_float(Json::number_float_t, const std::string&) { return check_inside("a number"); }
  bool binary(Json::binary_t&) { return check_inside("binary data"); }
  bool string(std::string& text) {
    if (in_map_) map_[key_] = std::move(text);
    return true;
  }
  bool start_object(std::size_t) {
    if (!check_inside("an object")) return false;
    in_map_ = depth_ == 1 && key_ == "weight_map";
    has_map_ = has_map_ || in_map_;
    return open();
  }
  bool end_object() {
    in_map_ = false;
    --depth_;
    return true;
  }
  bool start_array(std::size_t) { return check_inside("a list") && open(); }
  bool end_array() {
    --depth_;
    return true;
  }
  bool key(std::string& name) {
    if (in_map_ && map_.contains(name))
      return fail("tensor " + bankai::quoted(name) + " stands twice");
    if (depth_ == 1 && has_map_ && name == "weight_map") return fail("'weight_map' stands twice");
    key_ = name;
    return true;
  }
  bool parse_error(std::size_t offset, const std::string&, const Json::exception&) {
    return fail(format("not valid JSON at offset %zu", offset));
  }

  bool has_map() const { return has_map_; }
  const std::map<std::string, std::string>& map() const { return map_; }
  const std::string& message() const { return message_; }

 private:
  bool fail(std::string message) {
    message_ = std::move(message);
    return false;
  }
  bool check_inside(const char* what) {
    if (!in_map_) return true;
    return fail("'weight_map' has " + std::string(what) + " for " + bankai::quoted(key_) +
                ", expected the name of a file");
  }
  bool open() { return ++depth_ <= kMaxDepth || fail(format("nested deeper than %zu", kMaxDepth)); }

  std::size_t depth_ = 0;
  bool in_map_ = false;
  bool has_map_ = false;
  std::string key_;
  std::map<std::string, std::string> map_;
  std::string message_;
};

Result<SafetensorsIndex> read_map(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const std::string text, read_file(path));
  MapParser parser;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &parser))
    return make_error(ErrorCode::kBadInput, "%s: %s", path.c_str(), parser.message().c_str());
  if (!parser.has_map())
    return make_error(ErrorCode::kBadInput, "%s: the object 'weight_map' is missing", path.c_str());
  SafetensorsIndex index;
  index.has_map = true;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::set<std::string> files;
  for (const auto& [tensor, name] : parser.map()) {
    // A file of this folder and no other place.
    if (name.empty() || name == "." || name == ".." ||
        name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos)
      return make_error(ErrorCode::kBadInput,
                        "%s: tensor %s is said to be in %s, expected a file name without folders",
                        path.c_str(), bankai::quoted(tensor).c_str(), bankai::quoted(name).c_str());
    index.file_of[tensor] = (folder / name).string();
    files.insert(index.file_of[tensor]);
  }
  index.files.assign(files.begin(), files.end());
  return index;
}

}  // namespace

Result<SafetensorsIndex> read_safetensors_index(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    const std::filesystem::path folder(path);
    for (const char* name : {kIndexFile, kSingleFile})
      if (std::filesystem::exists(folder / name, error))
        return read_safetensors_index((folder / name).string());
    return make_error(ErrorCode::kIo, "%s: the folder has neither %s nor %s", path.c_str(),
                      kSingleFile, kIndexFile);
  }
  if (path.ends_with(".json")) return read_map(path);
  return SafetensorsIndex{{path}, false, {}};
}

}  // namespace bankai::model
