#include "bfs/share_changes.h"

#include <algorithm>

#include "kernels/group_panels.h"
#include "model/parallel.h"

namespace bankai::bfs {
namespace {

// Rows and tokens of one thread's work: their arrays stay in the cache, and enough rows share what
// a product prepares for each token.
constexpr std::size_t kRowsTogether = 1024;
constexpr std::size_t kTokensTogether = 32;
static_assert(kRowsTogether % kernels::kPanelRows == 0);

// Sums of some rows over the tokens of one item after the other.
class ItemSums {
 public:
  ItemSums(const model::Transformer& transformer, const OutputEffects& effects, IndexRange rows)
      : table_(transformer.table()),
        add_activation_changes_(transformer.model().parameters().activation ==
                                        model::Activation::kRelu2
                                    ? table_.add_relu2_changes
                                    : table_.add_silu_changes),
        effects_(effects),
        rows_(rows),
        changes_(rows.size()),
        gains_(rows.size()),
        losses_(rows.size()) {}

  // A token whose outputs lose twice these shares (rows).
  void add_token(std::size_t token, const float* shares) {
    const std::size_t at = token * effects_.rows + rows_.begin;
    if (effects_.gate == nullptr)
      table_.add_products(shares, effects_.factors + at, rows_.size(), changes_.data());
    else
      add_activation_changes_(effects_.gate + at, shares, effects_.before + at,
                              effects_.factors + at, rows_.size(), changes_.data());
  }
  void end_item(const ItemEffect& effect) {
    if (effects_.gate == nullptr)
      for (float& change : changes_) change *= -2.0F;
    add_effect(effect, changes_, gains_, losses_);
    std::fill(changes_.begin(), changes_.end(), 0.0F);
  }
  void end_slice(std::size_t first, ChangeSums& sums) {
    sums.add_gains(table_, first, rows_.size(), gains_.data());
    sums.add_losses(table_, first, rows_.size(), losses_.data());
  }

 private:
  const kernels::KernelTable& table_;
  kernels::KernelTable::AddActivationChanges add_activation_changes_;
  const OutputEffects& effects_;
  IndexRange rows_;
  std::vector<float> changes_, gains_, losses_;
};

// Rows in runs of `size`, a multiple of kPanelRows.
struct RowRuns {
  std::size_t rows = 0;
  std::size_t size = kRowsTogether;

  std::size_t count() const { return (rows + size - 1) / size; }
  IndexRange operator[](std::size_t i) const { return {i * size, std::min(rows, (i + 1) * size)}; }
};

// At least one for every thread.
RowRuns runs_for(std::size_t rows, int threads) {
  const std::size_t parts = static_cast<std::size_t>(threads) * kernels::kPanelRows;
  const std::size_t share = (rows + parts - 1) / parts * kernels::kPanelRows;
  return {rows, std::min(kRowsTogether, share)};
}

}  // namespace

void add_row_changes(model::Transformer& transformer, const OutputEffects& effects,
                     const float* values, std::span<const ItemTokens> items, ChangeSums& sums) {
  const RowRuns runs = runs_for(effects.rows, transformer.options().threads);
  model::parallel_for(transformer.options().threads, runs.count(), [&](IndexRange range) {
    for (std::size_t run = range.begin; run < range.end; ++run) {
      const IndexRange rows = runs[run];
      ItemSums of_items(transformer, effects, rows);
      for (const ItemTokens& item : items) {
        for (std::size_t t = item.tokens.begin; t < item.tokens.end; ++t)
          of_items.add_token(t, values + t * effects.rows + rows.begin);
        of_items.end_item(item.effect);
      }
      of_items.end_slice(rows.begin, sums);
    }
  });
}

GroupSlices::GroupSlices(const kernels::Panels& panels, float scale) : scale_(scale) {
  for (std::size_t group = 0; group < panels.cols / kGroupCols; ++group) {
    lines_.emplace_back(kernels::group_lines(panels));
    slices_.push_back(kernels::slice_group(panels, group, lines_.back().data()->bytes));
  }
}

void add_group_changes(model::Transformer& transformer, const OutputEffects& effects,
                       const GroupSlices& groups, const kernels::ActivationBlock& input,
                       std::span<const ItemTokens> items, ChangeSums& sums) {
  const RowRuns runs{effects.rows};
  model::parallel_for(
      transformer.options().threads, groups.size() * runs.count(), [&](IndexRange range) {
        kernels::ActivationBlock of_group;
        std::vector<float> shares(kTokensTogether * std::min(effects.rows, kRowsTogether));
        for (std::size_t i = range.begin; i < range.end; ++i) {
          const std::size_t group = i / runs.count();
          const IndexRange rows = runs[i % runs.count()];
          const kernels::Panels panels = kernels::slice_panels(
              groups[group], rows.begin / kernels::kPanelRows, kernels::num_panels(rows.size()));
          of_group.take_group(input, group);
          ItemSums of_items(transformer, effects, rows);
          IndexRange known;  // tokens whose shares have been computed
          for (const ItemTokens& item : items) {
            for (std::size_t t = item.tokens.begin; t < item.tokens.end; ++t) {
              if (t >= known.end) {
                known = {t, std::min(input.tokens(), t + kTokensTogether)};
                kernels::matmul(transformer.table(), panels, of_group, t, known.size(),
                                shares.data(), rows.size());
                if (groups.scale() != 1.0F)
                  for (std::size_t k = 0; k < known.size() * rows.size(); ++k)
                    shares[k] *= groups.scale();
              }
              of_items.add_token(t, shares.data() + (t - known.begin) * rows.size());
            }
            of_items.end_item(item.effect);
          }
          of_items.end_slice(group * effects.rows + rows.begin, sums);
        }
      });
}

}  // namespace bankai::bfs
