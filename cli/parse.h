// Values on the command line: sizes, durations, layer lists, tensor lists, weighted files.
// All errors are kUsage and quote the value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/tensor_address.h"

namespace bankai::cli {

// "1000", "16MB" (decimal: kB, MB, GB, TB) or "15MiB" (binary: KiB, MiB, GiB, TiB), in bytes.
Result<std::uint64_t> parse_size(std::string_view text);

// "90" or "90s", "10m", "2h", "1d", in seconds.
Result<double> parse_duration(std::string_view text);

// "1-4,34": ascending, without repeats. Numbers must be below `num_layers`.
Result<std::vector<std::uint32_t>> parse_layers(std::string_view text, std::size_t num_layers);

// "gate,up,down,q,k,v,o,embed,head".
Result<std::vector<Projection>> parse_projections(std::string_view text);

struct WeightedPath {
  std::string path;
  double weight = 1.0;
};
// "FILE" or "FILE:WEIGHT". A file of the whole name wins over a split.
Result<WeightedPath> parse_weighted_path(const std::string& text);

}  // namespace bankai::cli
