#include "model/golf_model.h"

namespace bankai::model {

GolfWork golf_work(const GolfModel& model) {
  GolfWork work;
  const auto add = [&](const GolfMatrix& matrix, std::size_t times, std::uint64_t& products) {
    const std::uint64_t count = std::uint64_t{matrix.rows()} * matrix.cols();
    work.weights += count;
    products += times * count;
    work.bytes_per_token += times * matrix.bytes();
  };
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    const GolfBlock& block = model.blocks[b];
    const std::size_t passes = model.parameters.passes;
    const std::size_t times = passes / model.blocks.size() + (b < passes % model.blocks.size());
    for (const GolfMatrix* matrix :
         {&block.query, &block.key, &block.value, &block.projection, &block.up, &block.down})
      add(*matrix, times, work.products_per_token);
  }
  add(model.expand, 1, work.products_per_token);
  add(model.shrink, 1, work.products_of_head);
  add(model.tokens, 1, work.products_of_head);
  return work;
}

}  // namespace bankai::model
