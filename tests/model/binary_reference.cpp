#include "tests/model/binary_reference.h"

namespace bankai::model {
namespace {

// Little-endian numbers, byte by byte.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint64_t number(int num_bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < num_bytes; ++i) value |= static_cast<std::uint64_t>(bytes_[at_++]) << 8 * i;
    return value;
  }
  std::size_t u32() { return static_cast<std::size_t>(number(4)); }
  long long i32() { return static_cast<std::int32_t>(number(4)); }
  long long i64() { return static_cast<long long>(number(8)); }

  std::vector<std::vector<int>> signs(std::size_t rows, std::size_t cols) {
    std::vector<std::vector<int>> matrix(rows);
    for (auto& row : matrix) {
      const std::size_t row_bytes = (cols + 63) / 64 * 8;
      for (std::size_t j = 0; j < cols; ++j) {
        const auto byte = static_cast<unsigned>(bytes_[at_ + j / 8]);
        row.push_back((byte >> j % 8 & 1U) != 0 ? 1 : -1);
      }
      at_ += row_bytes;
    }
    return matrix;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

long long dot(const std::vector<int>& a, const std::vector<int>& b, std::size_t begin,
              std::size_t end) {
  long long sum = 0;
  for (std::size_t i = begin; i < end; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

BinaryReference::BinaryReference(std::span<const std::byte> file) {
  Cursor in(file);
  in.u32();  // magic
  in.u32();  // version
  const std::size_t vocab = in.u32();
  const std::size_t d = in.u32();
  layers_.resize(in.u32());
  heads_ = in.u32();
  const std::size_t f = in.u32();
  in.u32();  // context
  multiplier_ = in.i64();
  const auto linear = [&](std::size_t rows, std::size_t cols) {
    Linear result;
    result.rows = in.signs(rows, cols);
    for (std::size_t r = 0; r < rows; ++r) result.thresholds.push_back(in.i32());
    return result;
  };
  embedding_ = in.signs(vocab, d);
  for (Layer& layer : layers_) {
    for (std::size_t h = 0; h < heads_; ++h) layer.slopes.push_back(in.i32());
    layer.q = linear(d, d);
    layer.k = linear(d, d);
    layer.v = linear(d, d);
    layer.o = linear(d, d);
    layer.gate = linear(f, d);
    layer.up = linear(f, d);
    layer.down = linear(d, f);
  }
  codebook_ = in.signs(vocab, d);
  for (std::size_t v = 0; v < vocab; ++v) biases_.push_back(in.i64());
}

BinaryReference::Signs BinaryReference::apply(const Linear& linear, const Signs& in) {
  Signs out;
  for (std::size_t r = 0; r < linear.rows.size(); ++r)
    out.push_back(dot(linear.rows[r], in, 0, in.size()) >= linear.thresholds[r] ? 1 : -1);
  return out;
}

std::vector<BinaryReference::Signs> BinaryReference::attend(const Layer& layer,
                                                            const std::vector<Signs>& x,
                                                            Rules rules) const {
  std::vector<Signs> q, k, v, out;
  for (const Signs& state : x) {
    q.push_back(apply(layer.q, state));
    k.push_back(apply(layer.k, state));
    v.push_back(apply(layer.v, state));
  }
  const std::size_t bits = x.front().size() / heads_;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Signs chosen;
    for (std::size_t h = 0; h < heads_; ++h) {
      std::size_t best = 0;
      long long best_score = 0;
      for (std::size_t j = 0; j <= i; ++j) {
        const long long signed_dot = dot(q[i], k[j], h * bits, (h + 1) * bits);
        const long long equal = (signed_dot + static_cast<long long>(bits)) / 2;
        const long long score = (rules.popcount_score ? equal : signed_dot) -
                                layer.slopes[h] * static_cast<long long>(i - j);
        if (j == 0 || score > best_score || (rules.latest_tie && score == best_score)) {
          best = j;
          best_score = score;
        }
      }
      for (std::size_t c = h * bits; c < (h + 1) * bits; ++c) chosen.push_back(v[best][c]);
    }
    out.push_back(apply(layer.o, chosen));
  }
  return out;
}

std::vector<std::vector<long long>> BinaryReference::logits(const std::vector<int>& tokens,
                                                            Rules rules) const {
  std::vector<Signs> x;
  for (const int token : tokens) x.push_back(embedding_[static_cast<std::size_t>(token)]);
  for (const Layer& layer : layers_) {
    const std::vector<Signs> a = attend(layer, x, rules);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Signs gate = apply(layer.gate, x[i]);
      const Signs up = apply(layer.up, x[i]);
      Signs hidden;
      for (std::size_t c = 0; c < gate.size(); ++c) hidden.push_back(gate[c] * up[c]);
      const Signs f = apply(layer.down, hidden);
      for (std::size_t c = 0; c < f.size(); ++c) x[i][c] = x[i][c] + a[i][c] + f[c] >= 0 ? 1 : -1;
    }
  }
  std::vector<std::vector<long long>> result;
  for (const Signs& state : x) {
    std::vector<long long> logits;
    for (std::size_t v = 0; v < codebook_.size(); ++v)
      logits.push_back(multiplier_ * dot(codebook_[v], state, 0, state.size()) + biases_[v]);
    result.push_back(logits);
  }
  return result;
}

}  // namespace bankai::model
