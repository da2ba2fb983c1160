#include "bfs/sign_changes.h"

#include <algorithm>
#include <iterator>

#include "kernels/bit_panels.h"

namespace bankai::bfs {
namespace {

using Words = std::vector<std::uint64_t>;
using Signs = ChangedOrState<std::uint64_t>;

constexpr std::size_t kRowsTogether = 64;  // replaced rows whose outputs fill a word

// Some of a matrix's rows replaced, at most kRowsTogether of them, ready to be multiplied.
struct ReplacedRows {
  std::vector<std::uint32_t> rows;
  Words panels;
  std::vector<std::int32_t> thresholds;

  // Their outputs, bit i for row i, of each token.
  Words outputs(const kernels::KernelTable& table, const Words& in, std::size_t tokens,
                std::size_t cols) const {
    Words bits(tokens);
    if (tokens > 0)
      table.xnor_threshold(panels.data(), rows.size(), in.data(), tokens, cols, thresholds.data(),
                           bits.data());
    return bits;
  }
  // Writes them into the values of a token.
  void write(std::uint64_t bits, std::uint64_t* values) const {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::uint64_t& word = values[rows[i] / 64];
      word = (word & ~(std::uint64_t{1} << rows[i] % 64)) | (bits >> i & 1U) << rows[i] % 64;
    }
  }
};

std::vector<ReplacedRows> pack_rows(const ReplacedBits& replaced,
                                    const model::PackedLinear& linear) {
  std::vector<ReplacedRows> packs;
  Words words;
  for (auto entry = replaced.begin(); entry != replaced.end();) {
    ReplacedRows& pack = packs.emplace_back();
    words.clear();
    for (; entry != replaced.end() && pack.rows.size() < kRowsTogether; ++entry) {
      pack.rows.push_back(entry->first);
      pack.thresholds.push_back(linear.thresholds[entry->first]);
      words.insert(words.end(), entry->second.begin(), entry->second.end());
    }
    pack.panels.resize(kernels::bit_panels_words(pack.rows.size(), linear.cols));
    kernels::pack_bit_panels(words.data(), pack.rows.size(), linear.cols, pack.panels.data());
  }
  return packs;
}

}  // namespace

const ReplacedBits* find_rows(const BinaryRows& rows, TensorAddress tensor) {
  const auto found = rows.find(tensor);
  return found != rows.end() ? &found->second : nullptr;
}

std::vector<std::uint32_t> either_of(const std::vector<std::uint32_t>& a,
                                     const std::vector<std::uint32_t>& b) {
  std::vector<std::uint32_t> all;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(all));
  return all;
}

void add_changed_signs(std::uint32_t token, const std::uint64_t* values, const Words& state,
                       std::size_t words, ChangedTokens& changed) {
  if (std::equal(values, values + words, state.data() + token * words)) return;
  changed.tokens.push_back(token);
  changed.values.insert(changed.values.end(), values, values + words);
}

ChangedTokens changed_outputs(const kernels::KernelTable& table, const model::PackedLinear& linear,
                              const Words& inputs, const Words& outputs,
                              const ChangedTokens& changed, const ReplacedBits* replaced) {
  const std::size_t words = linear.out_words();
  const std::size_t count = changed.tokens.size();
  Words out(count * words);
  if (count > 0)
    table.xnor_threshold(linear.panels.data(), linear.rows, changed.values.data(), count,
                         linear.cols, linear.thresholds.data(), out.data());
  ChangedTokens result;
  if (replaced == nullptr) {
    for (std::size_t i = 0; i < count; ++i)
      add_changed_signs(changed.tokens[i], out.data() + i * words, outputs, words, result);
    return result;
  }
  const std::size_t num_tokens = outputs.size() / words;
  const std::vector<ReplacedRows> packs = pack_rows(*replaced, linear);
  std::vector<Words> of_state;  // for inputs as the state has them
  for (const ReplacedRows& pack : packs) {
    const Words bits = pack.outputs(table, changed.values, count, linear.cols);
    for (std::size_t i = 0; i < count; ++i) pack.write(bits[i], out.data() + i * words);
    of_state.push_back(pack.outputs(table, inputs, num_tokens, linear.cols));
  }
  Words values(words);
  for (std::uint32_t token = 0, next = 0; token < num_tokens; ++token) {
    if (next < count && changed.tokens[next] == token) {
      std::copy_n(out.data() + next++ * words, words, values.data());
    } else {
      std::copy_n(outputs.data() + token * words, words, values.data());
      for (std::size_t i = 0; i < packs.size(); ++i)
        packs[i].write(of_state[i][token], values.data());
    }
    add_changed_signs(token, values.data(), outputs, words, result);
  }
  return result;
}

ChangedTokens changed_sign_products(const model::BinaryActivations& state, std::size_t feed_forward,
                                    const ChangedTokens& gate, const ChangedTokens& up) {
  const std::size_t words = model::BinaryMatrix::words_of(feed_forward);
  Signs gates(gate.tokens, gate.values, state.gate, words);
  Signs ups(up.tokens, up.values, state.up, words);
  ChangedTokens changed;
  Words out(words);
  for (const std::uint32_t token : either_of(gate.tokens, up.tokens)) {
    model::multiply_signs(gates.at(token), ups.at(token), feed_forward, out.data());
    add_changed_signs(token, out.data(), state.hidden, words, changed);
  }
  return changed;
}

std::size_t sequence_of(const SequenceStarts& starts, std::size_t token) {
  return static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), token) -
                                  starts.begin()) -
         1;
}

ChangedTokens changed_pointers(const model::BinaryActivations& state, std::size_t layer,
                               const SequenceStarts& starts, const ChangedTokens& q,
                               const ChangedTokens& k, const ChangedTokens& v,
                               std::span<model::BinaryCache> caches, const AttendOne& attend) {
  const std::size_t words = state.q.size() / starts.back();
  const std::vector<std::uint32_t> stored = either_of(k.tokens, v.tokens);
  std::vector<std::uint32_t> looking;  // where the pointer may be another
  for (std::size_t i = 0; i < stored.size();) {
    const std::size_t end = starts[sequence_of(starts, stored[i]) + 1];
    for (std::uint32_t token = stored[i]; token < end; ++token) looking.push_back(token);
    while (i < stored.size() && stored[i] < end) ++i;
  }
  Signs keys(k.tokens, k.values, state.k, words), values(v.tokens, v.values, state.v, words),
      queries(q.tokens, q.values, state.q, words);
  const auto store = [&](std::uint32_t token, const std::uint64_t* key,
                         const std::uint64_t* value) {
    const std::size_t sequence = sequence_of(starts, token);
    caches[sequence].store(layer, token - starts[sequence], key, value);
  };
  for (const std::uint32_t token : stored) store(token, keys.at(token), values.at(token));
  ChangedTokens changed;
  Words out(words);
  for (const std::uint32_t token : either_of(looking, q.tokens)) {
    const std::size_t sequence = sequence_of(starts, token);
    attend(token - starts[sequence], queries.at(token), caches[sequence], out.data());
    add_changed_signs(token, out.data(), state.attended, words, changed);
  }
  for (const std::uint32_t token : stored)
    store(token, state.k.data() + token * words, state.v.data() + token * words);
  return changed;
}

}  // namespace bankai::bfs
