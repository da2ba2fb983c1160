#include "patch/json_guard.h"

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/format.h"

namespace bankai::patch {
namespace {

constexpr std::size_t kMaxDepth = 32;

// The callbacks of nlohmann's SAX parser; returning false ends the parse.
class Guard {
 public:
  using Json = nlohmann::json;

  static bool null() { return true; }
  static bool boolean(bool) { return true; }
  static bool number_integer(Json::number_integer_t) { return true; }
  static bool number_unsigned(Json::number_unsigned_t) { return true; }
  static bool number_float(Json::number_float_t, const std::string&) { return true; }
  static bool string(std::string&) { return true; }
  static bool binary(Json::binary_t&) { return true; }
  bool start_object(std::size_t) { return open(); }
  bool end_object() { return close(); }
  bool start_array(std::size_t) { return open(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    if (keys_.back().insert(name).second) return true;
    message_ = "the key '" + name.substr(0, 40) + "' stands twice in one object";
    return false;
  }
  bool parse_error(std::size_t offset, const std::string&, const Json::exception&) {
    message_ = format("not valid JSON at offset %zu", offset);
    return false;
  }

  const std::string& message() const { return message_; }

 private:
  bool open() {
    keys_.emplace_back();
    if (keys_.size() <= kMaxDepth) return true;
    message_ = format("nested deeper than %zu", kMaxDepth);
    return false;
  }
  bool close() {
    keys_.pop_back();
    return true;
  }

  std::vector<std::set<std::string>> keys_;  // of the objects that are open; empty for arrays
  std::string message_;
};

}  // namespace

Status check_json(std::string_view text) {
  Guard guard;
  if (nlohmann::json::sax_parse(text.begin(), text.end(), &guard)) return {};
  return make_error(ErrorCode::kBadInput, "%s", guard.message().c_str());
}

}  // namespace bankai::patch
