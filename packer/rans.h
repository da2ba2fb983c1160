// Range asymmetric numeral systems (Duda 2013): the state of a lane is one 64-bit number in
// [2^31, 2^63), from and to which 32-bit words move. Lanes take turns and share one run of words,
// so that a decoder works on several symbols at once.
//
// A symbol has the interval [start, start + frequency) of [0, 2^precision). The encoder takes the
// symbols last to first and its words are stored in reverse, so that a decoder reads forward.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "core/format.h"
#include "core/result.h"

namespace bankai::packer {

inline constexpr std::uint64_t kRansLow = std::uint64_t{1} << 31U;
inline constexpr std::size_t kMaxLanes = 8;

class RansEncoder {
 public:
  // Counts words only, if not `with_words`.
  explicit RansEncoder(std::size_t lanes, bool with_words) : lanes_(lanes), with_(with_words) {
    states_.fill(kRansLow);
  }

  // REQUIRES: 0 < frequency <= 2^precision; precision <= 16.
  void put(std::size_t lane, std::uint32_t start, std::uint32_t frequency, unsigned precision) {
    std::uint64_t state = states_[lane];
    if (state >= static_cast<std::uint64_t>(frequency) << (63U - precision)) {
      ++num_words_;
      if (with_) words_.push_back(static_cast<std::uint32_t>(state));
      state >>= 32U;
    }
    states_[lane] = ((state / frequency) << precision) + state % frequency + start;
  }

  std::size_t size_bytes() const { return lanes_ * 8 + num_words_ * 4; }
  // States, lane by lane, then the words as the decoder wants them.
  void append_to(std::vector<std::byte>& out) const {
    const std::size_t begin = out.size();
    out.resize(begin + size_bytes());
    std::byte* to = out.data() + begin;
    std::memcpy(to, states_.data(), lanes_ * 8);
    to += lanes_ * 8;
    for (std::size_t i = words_.size(); i-- > 0; to += 4) std::memcpy(to, &words_[i], 4);
  }

 private:
  std::array<std::uint64_t, kMaxLanes> states_{};
  std::size_t lanes_;
  bool with_;
  std::size_t num_words_ = 0;
  std::vector<std::uint32_t> words_;
};

// The decoder's words. In the checked form, zeros are read beyond their end and counted, for
// finish() to find out; the unchecked form is for whoever has seen that enough words remain.
class RansWords {
 public:
  RansWords() = default;
  explicit RansWords(std::span<const std::byte> words)
      : next_(words.data()), end_(words.data() + words.size()) {}

  // The state after a symbol whose interval begins at `start` and contains slot = state mod
  // 2^precision. Takes at most one word.
  template <bool kChecked>
  void advance(std::uint64_t& state, std::uint32_t slot, std::uint32_t start,
               std::uint32_t frequency, unsigned precision) {
    state = frequency * (state >> precision) + slot - start;
    const bool is_low = state < kRansLow;
    if constexpr (kChecked) {
      if (!is_low) return;
      std::uint32_t word = 0;
      if (remaining() >= 4) {
        std::memcpy(&word, next_, 4);
        next_ += 4;
      } else {
        ++missing_;
      }
      state = state << 32U | word;
    } else {  // without a branch: whether a word is due is hard to predict
      std::uint32_t word;
      std::memcpy(&word, next_, 4);
      const std::uint64_t mask = std::uint64_t{0} - (is_low ? 1U : 0U);
      state = state << (32U & mask) | (word & mask);
      next_ += 4U & mask;
    }
  }
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - next_); }
  std::size_t missing() const { return missing_; }

 private:
  const std::byte* next_ = nullptr;
  const std::byte* end_ = nullptr;
  std::size_t missing_ = 0;
};

struct RansStream {
  std::array<std::uint64_t, kMaxLanes> states{};
  RansWords words;

  // kBadInput if there are too few bytes or a state is out of its range.
  static Result<RansStream> open(std::span<const std::byte> bytes, std::size_t lanes) {
    if (bytes.size() < lanes * 8 || bytes.size() % 4 != 0)
      return make_error(ErrorCode::kBadInput, "%zu bytes of entropy-coded data for %zu lanes",
                        bytes.size(), lanes);
    RansStream stream;
    std::memcpy(stream.states.data(), bytes.data(), lanes * 8);
    for (std::size_t lane = 0; lane < lanes; ++lane)
      if (stream.states[lane] < kRansLow || stream.states[lane] >> 63U != 0)
        return make_error(ErrorCode::kBadInput, "the state of lane %zu is out of its range", lane);
    stream.words = RansWords(bytes.subspan(lanes * 8));
    return stream;
  }
  // kBadInput unless decoding ended where encoding began.
  Status finish(std::size_t lanes) const {
    for (std::size_t lane = 0; lane < lanes; ++lane)
      if (states[lane] != kRansLow)
        return make_error(ErrorCode::kBadInput, "lane %zu does not end in its first state", lane);
    if (words.missing() != 0 || words.remaining() != 0)
      return make_error(ErrorCode::kBadInput,
                        "%zu words too few and %zu bytes too many of "
                        "entropy-coded data",
                        words.missing(), words.remaining());
    return {};
  }
};

}  // namespace bankai::packer
