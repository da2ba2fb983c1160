#include "cli/parse.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <utility>

#include "core/format.h"

namespace bankai::cli {
namespace {

Error bad_value(std::string_view text, const char* expected) {
  return make_error(ErrorCode::kUsage, "'%.*s': expected %s", static_cast<int>(text.size()),
                    text.data(), expected);
}

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

// Splits "12.5MB" into the number's and the unit's text.
std::pair<std::string_view, std::string_view> split_unit(std::string_view text) {
  const std::size_t unit = std::min(text.find_first_not_of("0123456789."), text.size());
  return {text.substr(0, unit), text.substr(unit)};
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {{"", 1},
                                                                   {"B", 1},
                                                                   {"kB", 1e3},
                                                                   {"KB", 1e3},
                                                                   {"MB", 1e6},
                                                                   {"GB", 1e9},
                                                                   {"TB", 1e12},
                                                                   {"KiB", 1024.0},
                                                                   {"MiB", 1048576.0},
                                                                   {"GiB", 1073741824.0},
                                                                   {"TiB", 1099511627776.0}};
  const auto [digits, unit] = split_unit(text);
  const std::optional<double> number = parse_number<double>(digits);
  for (const auto& [name, factor] : kUnits)
    if (number && unit == name && *number * factor <= 0x1p62)
      return static_cast<std::uint64_t>(std::llround(*number * factor));
  return bad_value(text, "a size such as 1000, 16MB (decimal) or 15MiB (binary)");
}

Result<double> parse_duration(std::string_view text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {
      {"", 1}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}};
  const auto [digits, unit] = split_unit(text);
  const std::optional<double> number = parse_number<double>(digits);
  for (const auto& [name, factor] : kUnits)
    if (number && unit == name) return *number * factor;
  return bad_value(text, "a duration such as 90s, 10m or 2h");
}

Result<std::vector<std::uint32_t>> parse_layers(std::string_view text, std::size_t num_layers) {
  std::vector<std::uint32_t> layers;
  for (const std::string_view part : split(text, ',')) {
    const std::size_t dash = part.find('-');
    const auto first = parse_number<std::uint32_t>(part.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : parse_number<std::uint32_t>(part.substr(dash + 1));
    if (!first || !last || *first > *last) return bad_value(text, "layers such as 0-3,5");
    if (*last >= num_layers)
      return make_error(ErrorCode::kUsage, "'%.*s': the model's layers are 0 to %zu",
                        static_cast<int>(text.size()), text.data(), num_layers - 1);
    for (std::uint32_t layer = *first; layer <= *last; ++layer) layers.push_back(layer);
  }
  std::sort(layers.begin(), layers.end());
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  return layers;
}

Result<std::vector<Projection>> parse_projections(std::string_view text) {
  std::vector<Projection> projections;
  for (const std::string_view part : split(text, ',')) {
    const std::optional<Projection> projection = projection_from_short_name(part);
    if (!projection) return bad_value(text, "some of gate, up, down, q, k, v, o, embed, head");
    projections.push_back(*projection);
  }
  return projections;
}

Result<WeightedPath> parse_weighted_path(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(text)) return WeightedPath{text, 1.0};
  const std::optional<double> weight =
      parse_number<double>(std::string_view(text).substr(colon + 1));
  if (!weight) return WeightedPath{text, 1.0};
  if (!(*weight > 0.0) || !std::isfinite(*weight))
    return bad_value(text, "FILE:WEIGHT with a positive weight");
  return WeightedPath{text.substr(0, colon), *weight};
}

}  // namespace bankai::cli
