#include "packer/pickle_keys.h"

#include <algorithm>
#include <string_view>

#include "core/format.h"

namespace bankai::packer {
namespace {

std::size_t offset_in(std::span<const std::byte> input, std::string_view text) {
  return static_cast<std::size_t>(text.data() - reinterpret_cast<const char*>(input.data()));
}

Status sort_keys(const std::vector<PickleValue>& values, std::span<const std::byte> input,
                 PickleValue& dict) {
  const auto key = [&](PickleIndex place) { return values[dict.items[place]].text; };
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleValue& value = values[dict.items[i]];
    if (value.kind != PickleKind::kText) continue;
    if (value.text.size() > kMaxPickleKeyBytes)
      return make_error(ErrorCode::kBadInput,
                        "a key of %zu bytes at offset %zu; expected at most %zu", value.text.size(),
                        offset_in(input, value.text), kMaxPickleKeyBytes);
    dict.text_keys.push_back(static_cast<PickleIndex>(i));
  }
  std::stable_sort(dict.text_keys.begin(), dict.text_keys.end(),
                   [&](PickleIndex a, PickleIndex b) { return key(a) < key(b); });
  const auto twice =
      std::adjacent_find(dict.text_keys.begin(), dict.text_keys.end(),
                         [&](PickleIndex a, PickleIndex b) { return key(a) == key(b); });
  if (twice == dict.text_keys.end()) return {};
  const std::string_view name = key(twice[1]);
  return make_error(ErrorCode::kBadInput, "a dictionary has the key %s twice, again at offset %zu",
                    quoted(name).c_str(), offset_in(input, name));
}

}  // namespace

Status sort_text_keys(std::vector<PickleValue>& values, std::span<const std::byte> input) {
  for (PickleValue& value : values)
    if (value.kind == PickleKind::kDict) BANKAI_RETURN_IF_ERROR(sort_keys(values, input, value));
  return {};
}

const PickleValue* PickleTree::find(const PickleValue& dict, std::string_view key) const {
  if (dict.kind != PickleKind::kDict) return nullptr;
  const auto text = [&](PickleIndex place) { return values_[dict.items[place]].text; };
  const auto found = std::lower_bound(
      dict.text_keys.begin(), dict.text_keys.end(), key,
      [&](PickleIndex place, std::string_view name) { return text(place) < name; });
  if (found == dict.text_keys.end() || text(*found) != key) return nullptr;
  return &values_[dict.items[*found + 1]];
}

}  // namespace bankai::packer
