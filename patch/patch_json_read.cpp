#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/format.h"
#include "patch/fingerprint.h"
#include "patch/json_guard.h"
#include "patch/patch_format.h"
#include "patch/patch_json.h"
#include "patch/text_rules.h"

namespace bankai::patch {
namespace {

using Json = nlohmann::ordered_json;

Error bad(const std::string& place, const std::string& problem) {
  return make_error(ErrorCode::kBadInput, "%s: %s", place.c_str(), problem.c_str());
}

// A value as it may be shown in a one-line message.
std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', true);
  if (text.size() > 40) text = text.substr(0, 37) + "...";
  return text;
}

// An unknown key of `object` is an error that lists the known ones.
Status check_keys(const Json& object, std::initializer_list<const char*> known,
                  const std::string& place) {
  if (!object.is_object()) return bad(place, "expected an object, found " + shown(object));
  for (const auto& item : object.items()) {
    const std::string& key = item.key();
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string list;
    for (const char* name : known) list += (list.empty() ? "" : ", ") + std::string(name);
    return bad(place, "unknown key " + shown(key) + " (known: " + list + ")");
  }
  return {};
}

Result<std::uint32_t> read_number(const Json& object, const char* key, std::uint32_t limit,
                                  const std::string& place) {
  const auto found = object.find(key);
  if (found == object.end()) return bad(place, std::string("'") + key + "' is missing");
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() >= limit)
    return bad(place, std::string("'") + key + "' is " + shown(*found) +
                          ", expected a whole number from 0 to " + std::to_string(limit - 1));
  return found->get<std::uint32_t>();
}

Result<TensorAddress> read_tensor(const Json& object, const std::string& place) {
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t layer,
                          read_number(object, "layer", kMaxLayers, place));
  const auto name = object.find("proj");
  if (name == object.end()) return bad(place, "'proj' is missing");
  const auto projection = name->is_string()
                              ? projection_from_patch_name(name->get_ref<const std::string&>())
                              : std::nullopt;
  if (projection) return TensorAddress{layer, *projection};
  std::string list;
  for (const ProjectionNames& entry : kProjections)
    list += (list.empty() ? "" : ", ") + std::string(entry.patch_name);
  return bad(place, "'proj' is " + shown(*name) + ", expected one of " + list);
}

Result<Flip> read_flip(const Json& object, const std::string& place) {
  BANKAI_RETURN_IF_ERROR(
      check_keys(object, {"layer", "proj", "row", "group", "col", "step"}, place));
  BANKAI_ASSIGN_OR_RETURN(const TensorAddress tensor, read_tensor(object, place));
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t row, read_number(object, "row", kMaxRows, place));
  const bool has_group = object.contains("group");
  if (has_group && object.contains("col")) return bad(place, "both 'group' and 'col'");
  const auto step = object.find("step");
  if (step != object.end() && !object.contains("col")) return bad(place, "'step' without 'col'");
  if (has_group) {
    constexpr std::uint32_t kLimit = kMaxCols / static_cast<std::uint32_t>(kGroupCols);
    BANKAI_ASSIGN_OR_RETURN(const auto group, read_number(object, "group", kLimit, place));
    return group_flip(tensor, row, group);
  }
  if (!object.contains("col")) return row_flip(tensor, row);
  BANKAI_ASSIGN_OR_RETURN(const auto col, read_number(object, "col", kMaxCols, place));
  if (step == object.end()) return bit_flip(tensor, row, col);
  // By text: a comparison of numbers would take 1.0 for 1, and 2⁶⁴ − 1 for −1.
  const std::string by = step->is_number() ? step->dump() : "";
  if (by == "1") return step_up(tensor, row, col);
  if (by == "-1") return step_down(tensor, row, col);
  return bad(place, "'step' is " + shown(*step) + ", expected 1 or -1");
}

// Two equal flips would cancel, and two steps of a trit are one; no writer means that.
Result<std::vector<Flip>> read_flips(const Json& document) {
  const auto list = document.find("flips");
  if (list == document.end() || !list->is_array()) return bad("flips", "expected a list");
  std::vector<Flip> flips;
  std::vector<std::pair<Flip, std::size_t>> places;
  for (std::size_t i = 0; i < list->size(); ++i) {
    BANKAI_ASSIGN_OR_RETURN(const Flip flip,
                            read_flip((*list)[i], "flips[" + std::to_string(i) + "]"));
    flips.push_back(flip);
    places.emplace_back(flip, i);
    if (is_step(flip.kind)) places.back().first.kind = FlipKind::kStepUp;  // either direction
  }
  std::sort(places.begin(), places.end());
  for (std::size_t i = 1; i < places.size(); ++i)
    if (places[i].first == places[i - 1].first)
      return bad("flips[" + std::to_string(places[i].second) + "]",
                 to_string(places[i].first) + " stands already at flips[" +
                     std::to_string(places[i - 1].second) + "]");
  return flips;
}

Result<std::string> read_string(const Json& document, const char* key, std::string_view fallback) {
  const auto found = document.find(key);
  if (found == document.end()) return std::string(fallback);
  if (!found->is_string()) return bad(key, "expected a string, found " + shown(*found));
  return found->get<std::string>();
}

Status check_dialect(const Json& document) {
  const auto version = document.find("version");
  if (version != document.end() && *version != 1)
    return make_error(ErrorCode::kUnsupported, "patch version %s, expected 1",
                      shown(*version).c_str());
  BANKAI_ASSIGN_OR_RETURN(const std::string format, read_string(document, "format", kRowFormat));
  if (format != kRowFormat && format != kBitFormat && format != kStepFormat)
    return make_error(ErrorCode::kUnsupported, "patch format %s, expected %s, %s or %s",
                      shown(format).c_str(), kRowFormat, kBitFormat, kStepFormat);
  BANKAI_ASSIGN_OR_RETURN(const std::string type, read_string(document, "type", kOlderType));
  if (type != kOlderType)
    return make_error(ErrorCode::kUnsupported, "patch type %s, expected %s", shown(type).c_str(),
                      kOlderType);
  return {};
}

// A count that disagrees with the list shows that flips were lost or added.
Status check_stated_count(const Json& document, std::size_t num_flips) {
  const auto stats = document.find("stats");
  for (const Json* object : {&document, stats == document.end() ? nullptr : &*stats}) {
    if (object == nullptr) continue;
    if (!object->is_object()) return bad("stats", "expected an object, found " + shown(*object));
    const auto stated = object->find("n_flips");
    if (stated != object->end() && *stated != num_flips)
      return bad("n_flips", "states " + shown(*stated) + ", but the list has " +
                                std::to_string(num_flips) + " flips");
  }
  return {};
}

template <std::size_t kSize>
Status read_hex(const Json& value, std::array<std::byte, kSize>& bytes, const std::string& place) {
  if (value.is_string() && from_hex(value.get_ref<const std::string&>(), bytes)) return {};
  return bad(place, "is " + shown(value) + ", expected " + std::to_string(2 * kSize) +
                        " hexadecimal digits");
}

Status read_base_tensor(const Json& entry, const std::string& place, Base& base) {
  BANKAI_RETURN_IF_ERROR(check_keys(entry, {"layer", "proj", "rows", "cols", "sha256"}, place));
  BANKAI_ASSIGN_OR_RETURN(const TensorAddress tensor, read_tensor(entry, place));
  TensorShape shape;
  BANKAI_ASSIGN_OR_RETURN(shape.rows, read_number(entry, "rows", kMaxRows + 1, place));
  BANKAI_ASSIGN_OR_RETURN(shape.cols, read_number(entry, "cols", kMaxCols + 1, place));
  BANKAI_RETURN_IF_ERROR(check_shape(tensor, shape));
  if (!base.shapes.emplace(tensor, shape).second)
    return bad(place, to_string(tensor) + " stands there twice");
  const auto content = entry.find("sha256");
  if (content == entry.end()) return {};
  return read_hex(*content, base.contents[tensor], place + ".sha256");
}

Result<Base> read_base(const Json& object) {
  const std::string place = "metadata.bankai";
  BANKAI_RETURN_IF_ERROR(check_keys(object, {"base_hash", "tensors"}, place));
  Base base;
  const auto tensors = object.find("tensors");
  if (tensors != object.end()) {
    if (!tensors->is_array()) return bad(place + ".tensors", "expected a list");
    for (std::size_t i = 0; i < tensors->size(); ++i)
      BANKAI_RETURN_IF_ERROR(
          read_base_tensor((*tensors)[i], place + ".tensors[" + std::to_string(i) + "]", base));
  }
  if (!base.contents.empty() && base.contents.size() != base.shapes.size())
    return bad(place, "some tensors have a sha256 and some have none");
  const auto hash = object.find("base_hash");
  if (hash != object.end()) {
    BaseHash stated;
    BANKAI_RETURN_IF_ERROR(read_hex(*hash, stated, place + ".base_hash"));
    base.hash = stated;
  }
  if (!base.contents.empty() && base.hash != combine_contents(base.contents))
    return bad(place, "the base_hash does not follow from the hashes of the tensors");
  return base;
}

Status check_base_of_flips(const Patch& patch) {
  for (const auto& [tensor, shape] : patch.base.shapes)
    if (patch.flips.of(tensor).empty())
      return bad("metadata.bankai", "lists " + to_string(tensor) + ", which has no flip");
  const bool bound = patch.base.hash.has_value();
  if (bound && !shapes_known(patch.flips, patch.base.shapes))
    return bad("metadata.bankai", "has a base_hash, but not the shape of every touched tensor");
  return {};
}

Status read_metadata(const Json& document, Patch& patch) {
  const auto found = document.find("metadata");
  if (found == document.end()) return {};
  if (!found->is_object()) return bad("metadata", "expected an object, found " + shown(*found));
  Json metadata = *found;
  const auto own = metadata.find("bankai");
  if (own != metadata.end()) {
    BANKAI_ASSIGN_OR_RETURN(patch.base, read_base(*own));
    metadata.erase(own);
  }
  if (!metadata.empty()) patch.metadata = metadata.dump();
  return {};
}

}  // namespace

Result<Patch> parse_json(std::string_view text, std::string_view default_name) {
  if (text.size() > kMaxPatchFileBytes)
    return make_error(ErrorCode::kBadInput, "a patch of %zu bytes, expected at most %zu",
                      text.size(), kMaxPatchFileBytes);
  BANKAI_RETURN_IF_ERROR(check_json(text));
  const Json document = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!document.is_object())
    return make_error(ErrorCode::kBadInput, "not a patch: the JSON text is not an object");
  BANKAI_RETURN_IF_ERROR(check_dialect(document));
  Patch patch;
  BANKAI_ASSIGN_OR_RETURN(patch.name, read_string(document, "name", default_name));
  BANKAI_ASSIGN_OR_RETURN(patch.description, read_string(document, "description", ""));
  BANKAI_ASSIGN_OR_RETURN(patch.base_model, read_string(document, "base_model", "unknown"));
  BANKAI_RETURN_IF_ERROR(check_label(patch.name, "name"));
  BANKAI_RETURN_IF_ERROR(check_label(patch.base_model, "base_model"));
  BANKAI_ASSIGN_OR_RETURN(std::vector<Flip> flips, read_flips(document));
  BANKAI_RETURN_IF_ERROR(check_stated_count(document, flips.size()));
  BANKAI_RETURN_IF_ERROR(read_metadata(document, patch));
  BANKAI_ASSIGN_OR_RETURN(patch.flips, FlipSet::make(std::move(flips), patch.base.shapes));
  BANKAI_RETURN_IF_ERROR(check_base_of_flips(patch));
  return patch;
}

}  // namespace bankai::patch
