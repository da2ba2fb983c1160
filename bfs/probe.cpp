#include "bfs/probe.h"

#include <nlohmann/json.hpp>

#include "core/format.h"
#include "core/mapped_file.h"
#include "patch/json_guard.h"

namespace bankai::bfs {
namespace {

using Json = nlohmann::json;

Result<Json> parse_json(const std::string& text, const std::string& where) {
  const Status checked = patch::check_json(text);
  if (!checked.ok()) return with_context(checked.error(), where);
  return Json::parse(text);
}

Result<std::string> text_field(const Json& object, const char* key, bool required,
                               const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) {
    if (required)
      return make_error(ErrorCode::kBadInput, "%s: the key \"%s\" is missing", where.c_str(), key);
    return std::string();
  }
  if (!found->is_string())
    return make_error(ErrorCode::kBadInput, "%s: \"%s\" is a %s, expected a string", where.c_str(),
                      key, found->type_name());
  return found->get<std::string>();
}

Result<Probe> parse_probe(const Json& object, std::size_t index, const std::string& where) {
  if (!object.is_object())
    return make_error(ErrorCode::kBadInput, "%s: a %s, expected an object", where.c_str(),
                      object.type_name());
  Probe probe;
  BANKAI_ASSIGN_OR_RETURN(probe.prompt, text_field(object, "prompt", true, where));
  BANKAI_ASSIGN_OR_RETURN(probe.correct, text_field(object, "correct", true, where));
  BANKAI_ASSIGN_OR_RETURN(probe.wrong, text_field(object, "wrong", false, where));
  BANKAI_ASSIGN_OR_RETURN(probe.name, text_field(object, "name", false, where));
  BANKAI_ASSIGN_OR_RETURN(probe.category, text_field(object, "category", false, where));
  if (probe.name.empty()) probe.name = "probe_" + std::to_string(index);
  if (probe.category.empty()) probe.category = "custom";
  if (probe.prompt.empty() || probe.correct.empty())
    return make_error(ErrorCode::kBadInput, "%s: prompt and correct must not be empty",
                      where.c_str());
  const auto alternates = object.find("alternates");
  if (alternates == object.end()) return probe;
  if (!alternates->is_array())
    return make_error(ErrorCode::kBadInput, "%s: \"alternates\" is a %s, expected a list",
                      where.c_str(), alternates->type_name());
  for (const Json& alternate : *alternates) {
    if (!alternate.is_string())
      return make_error(ErrorCode::kBadInput, "%s: an alternate is a %s, expected a string",
                        where.c_str(), alternate.type_name());
    probe.alternates.push_back(alternate.get<std::string>());
  }
  return probe;
}

Status read_probe_list(const std::string& content, DataSet& data) {
  BANKAI_ASSIGN_OR_RETURN(const Json json, parse_json(content, data.path));
  if (!json.is_array())
    return make_error(ErrorCode::kBadInput, "%s: a %s at the top, expected a list of probes",
                      data.path.c_str(), json.type_name());
  for (std::size_t i = 0; i < json.size(); ++i) {
    BANKAI_ASSIGN_OR_RETURN(Probe probe,
                            parse_probe(json[i], i, data.path + ": probe " + std::to_string(i)));
    data.probes.push_back(std::move(probe));
  }
  return {};
}

Status read_lines(const std::string& content, DataSet& data) {
  std::size_t line_number = 0;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    const std::string line = content.substr(begin, end - begin);
    begin = end + 1;
    const std::string where = data.path + ": line " + std::to_string(++line_number);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    BANKAI_ASSIGN_OR_RETURN(const Json json, parse_json(line, where));
    if (json.is_string()) {
      data.texts.push_back(json.get<std::string>());
    } else if (json.is_object() && json.contains("text")) {
      BANKAI_ASSIGN_OR_RETURN(std::string text, text_field(json, "text", true, where));
      data.texts.push_back(std::move(text));
    } else {
      BANKAI_ASSIGN_OR_RETURN(Probe probe, parse_probe(json, line_number - 1, where));
      data.probes.push_back(std::move(probe));
    }
  }
  return {};
}

}  // namespace

Result<DataSet> read_data_set(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const std::string content, read_file(path));
  DataSet data;
  data.path = path;
  if (path.ends_with(".json")) {
    BANKAI_RETURN_IF_ERROR(read_probe_list(content, data));
  } else if (path.ends_with(".jsonl")) {
    BANKAI_RETURN_IF_ERROR(read_lines(content, data));
  } else if (!content.empty()) {
    data.texts.push_back(content);
  }
  if (data.probes.empty() && data.texts.empty())
    return make_error(ErrorCode::kBadInput, "%s: no probes and no text in it", path.c_str());
  return data;
}

}  // namespace bankai::bfs
