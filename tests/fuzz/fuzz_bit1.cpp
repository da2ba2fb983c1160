// Fuzz target: any bytes as a BIT1 file. What is accepted is written again byte for byte and, if it
// is small, run for a few tokens.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/check.h"
#include "kernels/dispatch.h"
#include "model/binary_transformer.h"
#include "model/bit1_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto model = bankai::model::parse_bit1(bytes, "fuzz");
  if (!model.ok()) return 0;
  const std::vector<std::byte> again = bankai::model::encode_bit1(*model);
  BANKAI_CHECK(again.size() == size && std::equal(again.begin(), again.end(), bytes.begin()),
               "a file that was read is written differently");
  if (size > 100000) return 0;
  bankai::model::BinaryTransformer transformer(*model, *bankai::kernels::all_kernels().front(), {});
  bankai::model::BinaryCache cache(model->shape);
  const std::vector<bankai::model::TokenId> tokens(
      10, static_cast<bankai::model::TokenId>(model->shape.vocabulary - 1));
  std::vector<std::int64_t> logits(tokens.size() * model->shape.vocabulary);
  transformer.logits(transformer.run(tokens, cache), logits);
  return 0;
}
