#include "model/transformer_blocks.h"

#include <atomic>

#include "model/parallel.h"

namespace bankai::model {

void for_each_block(Transformer& transformer, std::size_t count,
                    const std::function<void(std::size_t, Transformer&)>& body) {
  const ForwardOptions& options = transformer.options();
  const auto threads = static_cast<std::size_t>(options.threads);
  if (threads == 1 || count < threads) {
    for (std::size_t i = 0; i < count; ++i) body(i, transformer);
    return;
  }
  std::atomic<std::size_t> next = 0;
  parallel_for(options.threads, threads, [&](IndexRange) {
    Transformer own(transformer.model(), transformer.table(), {options.activations, options.kv, 1});
    for (std::size_t i = next++; i < count; i = next++) body(i, own);
  });
}

}  // namespace bankai::model
