// Keys and values of parameter-golf models in the formats of the other architectures
// (docs/kv_cache.md), and attention over them: single precision, read as they are kept. Without
// such a format they stay in double precision (golf_attention.h).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/golf_parameters.h"
#include "model/kv_cache.h"

namespace bankai::model {

// nullopt: double precision.
using GolfKvFormat = std::optional<KvFormat>;

// "64 bits", "2 bits (kv1)".
std::string golf_kv_text(const GolfKvFormat& format);
// What a position takes in a cache: keys and values of all passes.
std::size_t golf_cache_bytes(const GolfParameters& parameters, const GolfKvFormat& format);

// Keys (after RoPE) and values, (rows, kv_heads · head_dim) each, rounded to single precision and
// stored behind the `first_position` positions that `kept` has.
void keep_golf_rows(const GolfParameters& parameters, const kernels::KernelTable& table,
                    int threads, const std::vector<double>& key, const std::vector<double>& value,
                    std::size_t first_position, KvRows& kept);

// Causal attention of the positions from first_position on; query and out (rows, heads, head_dim).
void attend_golf_rows(const GolfParameters& parameters, const kernels::KernelTable& table,
                      int threads, const std::vector<double>& query, const KvRows& kept,
                      std::size_t first_position, std::vector<double>& out);

}  // namespace bankai::model
