#include "bfs/pointer_effects.h"

#include <bit>
#include <vector>

#include "model/parallel.h"

namespace bankai::bfs {
namespace {

using model::BinaryMatrix;

// The pointers of one head over one sequence, backwards. Positions are counted in the sequence.
class PointerEffects {
 public:
  PointerEffects(const model::BinaryTransformer& transformer, std::size_t layer, std::size_t head,
                 const model::BinaryActivations& bits, std::size_t first)
      : begin_(head * transformer.model().shape.head_bits()),
        end_(begin_ + transformer.model().shape.head_bits()),
        width_(transformer.model().shape.width),
        words_(transformer.state_words()),
        bit_cost_(model::bit_cost(transformer.options().score)),
        slope_(transformer.model().layers[layer].slopes[head]),
        is_latest_(transformer.options().tie == model::TieRule::kLatest),
        bits_(bits),
        first_(first) {}

  void add(std::size_t position, const BitEffects& attended, LayerEffects& effects) {
    find(position);
    const std::size_t at = first_ + position, target = first_ + target_;
    for (std::size_t b = begin_; b < end_; ++b) {
      effects.v.linear[target * width_ + b] += attended.linear[at * width_ + b];
      effects.v.curved[target * width_ + b] += attended.curved[at * width_ + b];
    }
    if (rivals_.empty()) return;
    for (Rival& rival : rivals_) weigh(at, attended, rival);
    for (std::size_t b = begin_; b < end_; ++b) add_query_bit(at, b, effects.q);
    add_keys(at, effects.k);
  }

 private:
  struct Rival {
    std::size_t position = 0;
    std::int64_t cost = 0;
    float linear = 0.0F, curved = 0.0F;  // of moving there
  };

  float query(std::size_t at, std::size_t b) const { return sign_at(row(bits_.q, at), b); }
  float key(std::size_t position, std::size_t b) const {
    return sign_at(row(bits_.k, first_ + position), b);
  }
  const std::uint64_t* row(const std::vector<std::uint64_t>& words, std::size_t token) const {
    return words.data() + token * words_;
  }
  std::int64_t cost(std::size_t position, std::size_t target) const {
    const std::uint64_t* q = row(bits_.q, first_ + position);
    const std::uint64_t* k = row(bits_.k, first_ + target);
    std::int64_t differing = 0;
    for (std::size_t word = begin_ / 64; word * 64 < end_; ++word) {
      std::uint64_t mask = ~std::uint64_t{0};
      if (word * 64 < begin_) mask &= ~std::uint64_t{0} << begin_ % 64;
      if (word * 64 + 64 > end_) mask &= BinaryMatrix::last_word_mask(end_);
      differing += std::popcount((q[word] ^ k[word]) & mask);
    }
    return bit_cost_ * differing + slope_ * static_cast<std::int64_t>(position - target);
  }
  bool beats(std::int64_t cost, std::size_t position, std::int64_t than, std::size_t other) const {
    if (cost != than) return cost < than;
    return is_latest_ ? position > other : position < other;
  }

  // Where the head points to, and to where one flip may move it: a flip of a query's bit changes
  // both costs.
  void find(std::size_t position) {
    costs_.clear();
    for (std::size_t j = 0; j <= position; ++j) {
      costs_.push_back(cost(position, j));
      if (j == 0 || beats(costs_[j], j, costs_[target_], target_)) target_ = j;
    }
    rivals_.clear();
    for (std::size_t j = 0; j <= position; ++j)
      if (j != target_ && costs_[j] - costs_[target_] <= 2 * bit_cost_)
        rivals_.push_back({j, costs_[j], 0.0F, 0.0F});
  }
  void weigh(std::size_t at, const BitEffects& attended, Rival& rival) const {
    const std::uint64_t* here = row(bits_.v, first_ + target_);
    const std::uint64_t* there = row(bits_.v, first_ + rival.position);
    for (std::size_t b = begin_; b < end_; ++b) {
      if (sign_at(here, b) == sign_at(there, b)) continue;
      rival.linear += attended.linear[at * width_ + b];
      rival.curved += attended.curved[at * width_ + b];
    }
  }
  void move_to(const Rival& rival, std::size_t place, BitEffects& effects) const {
    effects.linear[place] += rival.linear;
    effects.curved[place] += rival.curved;
  }

  void add_query_bit(std::size_t at, std::size_t b, BitEffects& q) const {
    const float now = query(at, b);
    const auto after = [&](std::int64_t before, std::size_t position) {
      return before + (key(position, b) == now ? bit_cost_ : -bit_cost_);
    };
    std::int64_t least = after(costs_[target_], target_);
    std::size_t best = target_;
    const Rival* chosen = nullptr;
    for (const Rival& rival : rivals_) {
      const std::int64_t cost = after(rival.cost, rival.position);
      if (!beats(cost, rival.position, least, best)) continue;
      least = cost;
      best = rival.position;
      chosen = &rival;
    }
    if (chosen != nullptr) move_to(*chosen, at * width_ + b, q);
  }
  void add_keys(std::size_t at, BitEffects& k) const {
    const Rival* next = &rivals_.front();
    for (const Rival& rival : rivals_)
      if (beats(rival.cost, rival.position, next->cost, next->position)) next = &rival;
    const std::int64_t least = costs_[target_];
    const bool may_lose = beats(next->cost, next->position, least + bit_cost_, target_);
    for (std::size_t b = begin_; b < end_; ++b) {
      const float now = query(at, b);
      if (may_lose && key(target_, b) == now) move_to(*next, (first_ + target_) * width_ + b, k);
      for (const Rival& rival : rivals_)
        if (key(rival.position, b) != now &&
            beats(rival.cost - bit_cost_, rival.position, least, target_))
          move_to(rival, (first_ + rival.position) * width_ + b, k);
    }
  }

  std::size_t begin_, end_;  // bits of the head
  std::size_t width_, words_;
  std::int64_t bit_cost_, slope_;
  bool is_latest_;
  const model::BinaryActivations& bits_;
  std::size_t first_;
  std::size_t target_ = 0;
  std::vector<std::int64_t> costs_;
  std::vector<Rival> rivals_;
};

}  // namespace

void add_pointer_effects(const model::BinaryTransformer& transformer, std::size_t layer,
                         const BinaryTrace& trace, LayerEffects& effects) {
  // Heads have bits of their own, so that threads meet nowhere.
  model::parallel_for(
      transformer.options().threads, transformer.model().shape.num_heads, [&](IndexRange range) {
        for (std::size_t head = range.begin; head < range.end; ++head)
          for (std::size_t s = 0; s + 1 < trace.first.size(); ++s) {
            PointerEffects pointers(transformer, layer, head, trace.layers[layer], trace.first[s]);
            for (std::size_t i = 0; i < trace.first[s + 1] - trace.first[s]; ++i)
              pointers.add(i, effects.attended, effects);
          }
      });
}

}  // namespace bankai::bfs
