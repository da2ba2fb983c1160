#include "model/golf_kv.h"

#include <algorithm>

#include "model/kv_attention.h"
#include "model/parallel.h"

namespace bankai::model {
namespace {

// Queries that meet the keys and values of a head together, so that what is read is shared.
constexpr std::size_t kQueriesTogether = 16;

void to_floats(const double* from, std::size_t count, float* to) {
  for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

}  // namespace

std::string golf_kv_text(const GolfKvFormat& format) {
  return format ? kv_format_text(*format) : "64 bits";
}

std::size_t golf_cache_bytes(const GolfParameters& p, const GolfKvFormat& format) {
  const std::size_t vectors =
      format ? kv_key_bytes(*format, p.head_dim) + kv_value_bytes(*format, p.head_dim)
             : 2 * p.head_dim * sizeof(double);
  return p.passes * p.kv_heads * vectors;
}

void keep_golf_rows(const GolfParameters& p, const kernels::KernelTable& table, int threads,
                    const std::vector<double>& key, const std::vector<double>& value,
                    std::size_t first_position, KvRows& kept) {
  const std::size_t width = p.kv_heads * p.head_dim;
  const std::size_t last = first_position + key.size() / width;
  kept.resize(last);
  // Positions of a block share bytes: a block of a head is one thread's.
  const std::size_t first_block = first_position / kernels::kKeyBlock;
  const std::size_t num_blocks = round_up_to_key_block(last) / kernels::kKeyBlock - first_block;
  parallel_for(threads, num_blocks * p.kv_heads, [&](IndexRange range) {
    std::vector<float> floats(2 * p.head_dim);
    for (std::size_t item = range.begin; item < range.end; ++item) {
      const std::size_t head = item % p.kv_heads;
      const std::size_t begin = (first_block + item / p.kv_heads) * kernels::kKeyBlock;
      for (std::size_t position = std::max(begin, first_position);
           position < std::min(begin + kernels::kKeyBlock, last); ++position) {
        const std::size_t offset = (position - first_position) * width + head * p.head_dim;
        to_floats(key.data() + offset, p.head_dim, floats.data());
        to_floats(value.data() + offset, p.head_dim, floats.data() + p.head_dim);
        kept.write(table, head, position, floats.data(), floats.data() + p.head_dim);
      }
    }
  });
}

void attend_golf_rows(const GolfParameters& p, const kernels::KernelTable& table, int threads,
                      const std::vector<double>& query, const KvRows& kept,
                      std::size_t first_position, std::vector<double>& out) {
  const std::size_t heads = p.heads / p.kv_heads;
  const std::size_t width = heads * p.head_dim;  // of a token's queries for one head of keys
  const std::size_t rows = query.size() / p.embedding;
  const std::size_t together = std::max<std::size_t>(1, kQueriesTogether / heads);
  const std::size_t runs = (rows + together - 1) / together;
  out.resize(query.size());
  parallel_for(threads, runs * p.kv_heads, [&](IndexRange range) {
    std::vector<float> queries(together * width);
    std::vector<float> mixed(together * width);
    std::vector<float> scores;
    std::vector<float> sums;
    for (std::size_t item = range.begin; item < range.end; ++item) {
      // Early and late positions in turn: each thread gets as much work as another.
      const std::size_t turn = item / p.kv_heads;
      const std::size_t run = turn % 2 == 0 ? turn / 2 : runs - 1 - turn / 2;
      const std::size_t head = item % p.kv_heads;
      const std::size_t first_row = run * together;
      const std::size_t count = std::min(together, rows - first_row);
      const auto offset_of = [&](std::size_t i) {
        return (first_row + i) * p.embedding + head * width;
      };
      for (std::size_t i = 0; i < count; ++i)
        to_floats(query.data() + offset_of(i), width, queries.data() + i * width);
      attend_kv(table, {kept, head, 0, p.head_dim}, {count, heads, first_position + first_row},
                queries.data(), scores, sums, mixed.data());
      for (std::size_t i = 0; i < count; ++i)
        std::copy_n(mixed.data() + i * width, width, out.data() + offset_of(i));
    }
  });
}

}  // namespace bankai::model
