// Which signs of a layer change, and what they become, when some inputs or some rows do: the steps
// of evaluations that follow a change through a binary model.
//
// The state has the signs of all tokens, (tokens, words) each; a change is a list of the tokens
// that have others. Tokens are numbered through over all sequences.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "core/tensor_address.h"
#include "kernels/kernel_table.h"
#include "model/binary_cache.h"
#include "model/binary_parts.h"

namespace bankai::bfs {

using ReplacedBits = std::map<std::uint32_t, std::vector<std::uint64_t>>;  // rows of one matrix
// Rows that matrices have instead of their own, in words.
using BinaryRows = std::map<TensorAddress, ReplacedBits>;
// Those of a matrix; null if there are none.
const ReplacedBits* find_rows(const BinaryRows& rows, TensorAddress tensor);

// Tokens whose values differ from those of the state, ascending, and their values.
struct ChangedTokens {
  std::vector<std::uint32_t> tokens;
  std::vector<std::uint64_t> values;  // (tokens, words)
};

// Tokens that are in a, in b or in both, ascending as these are.
std::vector<std::uint32_t> either_of(const std::vector<std::uint32_t>& a,
                                     const std::vector<std::uint32_t>& b);

// The values of a token as changed or, if it is not, as the state has them. Ask for ascending
// tokens. T: float or std::uint64_t.
template <typename T>
class ChangedOrState {
 public:
  // Keeps references. `size`: values of a token.
  ChangedOrState(const std::vector<std::uint32_t>& tokens, const std::vector<T>& values,
                 const std::vector<T>& state, std::size_t size)
      : tokens_(tokens), values_(values), state_(state), size_(size) {}
  bool is_changed(std::uint32_t token) {
    while (next_ < tokens_.size() && tokens_[next_] < token) ++next_;
    return next_ < tokens_.size() && tokens_[next_] == token;
  }
  // Of the token that was asked for last, among the changed ones. REQUIRES: it is one.
  std::size_t position() const { return next_; }
  const T* at(std::uint32_t token) {
    return is_changed(token) ? values_.data() + next_ * size_ : state_.data() + token * size_;
  }

 private:
  const std::vector<std::uint32_t>& tokens_;
  const std::vector<T>& values_;
  const std::vector<T>& state_;
  std::size_t size_;
  std::size_t next_ = 0;
};

// Adds the token if these are not the state's signs. values: (words).
void add_changed_signs(std::uint32_t token, const std::uint64_t* values,
                       const std::vector<std::uint64_t>& state, std::size_t words,
                       ChangedTokens& changed);

// Of a product with thresholds: outputs that change where inputs do, and of replaced rows (null:
// none) wherever they cross a threshold.
ChangedTokens changed_outputs(const kernels::KernelTable& table, const model::PackedLinear& linear,
                              const std::vector<std::uint64_t>& inputs,
                              const std::vector<std::uint64_t>& outputs,
                              const ChangedTokens& changed, const ReplacedBits* replaced);

// Of the product of gate and up, sign by sign.
ChangedTokens changed_sign_products(const model::BinaryActivations& state, std::size_t feed_forward,
                                    const ChangedTokens& gate, const ChangedTokens& up);

// The first token of each sequence, and the number of tokens.
using SequenceStarts = std::vector<std::size_t>;
std::size_t sequence_of(const SequenceStarts& starts, std::size_t token);

// Of the values that heads point to. Changed keys and values are seen by all later tokens of their
// sequence: they are put into the caches (of all sequences, as the state has them), and the
// state's are put back. attend(position, query, cache, out) follows the pointers of a token.
using AttendOne = std::function<void(std::size_t, const std::uint64_t*, const model::BinaryCache&,
                                     std::uint64_t*)>;
ChangedTokens changed_pointers(const model::BinaryActivations& state, std::size_t layer,
                               const SequenceStarts& starts, const ChangedTokens& q,
                               const ChangedTokens& k, const ChangedTokens& v,
                               std::span<model::BinaryCache> caches, const AttendOne& attend);

}  // namespace bankai::bfs
