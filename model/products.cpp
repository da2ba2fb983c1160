// The matrix products of the forward pass: how they are divided over threads, and the rows that
// replacements put in place of the model's own.
#include <algorithm>

#include "kernels/panel_packing.h"
#include "model/parallel.h"
#include "model/transformer.h"

namespace bankai::model {
namespace {

constexpr std::size_t kLeastTokensPerThread = 16;
constexpr std::size_t kTokenTile = 256;  // per kernel call: their digits stay in the cache
constexpr std::size_t kUnitRows = kernels::kPanelRows;  // what few tokens are divided by

// The scale that some types have for a whole matrix, on (tokens, rows) products.
void apply_scale(float scale, std::size_t tokens, std::size_t rows, float* out,
                 std::size_t stride) {
  if (scale == 1.0F) return;
  for (std::size_t t = 0; t < tokens; ++t)
    for (std::size_t row = 0; row < rows; ++row) out[t * stride + row] *= scale;
}

// Rows [first, first + count) of the matrix, first a multiple of kUnitRows, times all tokens of the
// activations; out as if for the whole matrix.
void multiply_rows(const kernels::KernelTable& table, const WeightMatrix& matrix, std::size_t first,
                   std::size_t count, const kernels::ActivationBlock& activations,
                   std::size_t first_token, std::size_t num_tokens, float* out) {
  const std::size_t stride = matrix.weights.rows;
  float* first_out = out + first_token * stride + first;
  if (matrix.panels.lines != nullptr)
    kernels::matmul(
        table, kernels::slice_panels(matrix.panels, first / kUnitRows, kernels::num_panels(count)),
        activations, first_token, num_tokens, first_out, stride);
  else
    kernels::matmul_floats(table, matrix.weights.slice(first, count), activations, first_token,
                           num_tokens, first_out, stride);
  apply_scale(matrix.scale, num_tokens, count, first_out, stride);
}

}  // namespace

void Transformer::multiply_given(const WeightMatrix& matrix, const std::uint8_t* bytes,
                                 std::size_t num_rows, const kernels::ActivationBlock& activations,
                                 std::size_t first_token, std::size_t num_tokens, float* out,
                                 std::size_t stride) const {
  kernels::WeightRows rows = matrix.weights.slice(0, num_rows);
  rows.data = bytes;
  std::vector<kernels::PanelLine> lines;
  kernels::Panels panels = matrix.panels;
  if (panels.lines != nullptr) {
    panels.rows = num_rows;
    lines.resize(kernels::panels_bytes(panels) / kernels::kLineBytes);
    panels.lines = lines.data()->bytes;
    kernels::pack_panels(rows, 0, kernels::num_panels(num_rows), lines.data()->bytes);
  }
  parallel_for(threads_for(num_tokens, rows.cols * num_rows), num_tokens, [&](IndexRange range) {
    const std::size_t first = first_token + range.begin;
    float* first_out = out + first * stride;
    if (panels.lines != nullptr)
      kernels::matmul(table_, panels, activations, first, range.size(), first_out, stride);
    else
      kernels::matmul_floats(table_, rows, activations, first, range.size(), first_out, stride);
    apply_scale(matrix.scale, range.size(), num_rows, first_out, stride);
  });
}

void Transformer::multiply_row(const WeightMatrix& matrix, const std::uint8_t* bytes,
                               const kernels::ActivationBlock& activations, std::size_t first_token,
                               std::size_t num_tokens, float* out, std::size_t stride) const {
  multiply_given(matrix, bytes, 1, activations, first_token, num_tokens, out, stride);
}

// The rows that an overlay replaces are multiplied together: a product prepares every token, which
// takes as long as many rows.
void Transformer::multiply_replaced(const Product& product, std::size_t tokens,
                                    const Replacements& replacements) const {
  const WeightMatrix& matrix = product.matrix;
  const std::size_t rows = matrix.weights.rows;
  const RowOverlay::Rows* replaced =
      replacements.overlay == nullptr ? nullptr : replacements.overlay->find(matrix.address);
  if (replaced != nullptr) {
    std::vector<std::uint8_t> bytes;
    for (const auto& row : *replaced)
      bytes.insert(bytes.end(), row.second.begin(), row.second.end());
    std::vector<float> columns(tokens * replaced->size());
    multiply_given(matrix, bytes.data(), replaced->size(), activations_, 0, tokens, columns.data(),
                   replaced->size());
    const float* next = columns.data();
    for (std::size_t t = 0; t < tokens; ++t)
      for (const auto& row : *replaced) product.out[t * rows + row.first] = *next++;
  }
  for (const LocalRow& local : replacements.local)
    if (local.address == matrix.address)
      multiply_row(matrix, local.bytes, activations_, local.first_token, local.num_tokens,
                   product.out + local.row, rows);
}

void Transformer::multiply(std::span<const Product> products, std::size_t tokens,
                           const Replacements& replacements) {
  std::vector<std::size_t> first_unit = {0};  // of each product, and the end
  for (const Product& product : products)
    first_unit.push_back(first_unit.back() + kernels::num_panels(product.matrix.weights.rows));
  const std::size_t units = first_unit.back();
  const int threads = threads_for(tokens * units * kUnitRows, activations_.cols());
  // Many tokens are divided by tokens, since a kernel prepares each token once per call; few by
  // rows, of all products together.
  if (tokens >= static_cast<std::size_t>(std::max(threads, 1)) * kLeastTokensPerThread) {
    parallel_for(threads, tokens, [&](IndexRange range) {
      for (std::size_t token = range.begin; token < range.end; token += kTokenTile)
        for (const Product& product : products)
          multiply_rows(table_, product.matrix, 0, product.matrix.weights.rows, activations_, token,
                        std::min(kTokenTile, range.end - token), product.out);
    });
  } else {
    parallel_for(threads, units, [&](IndexRange range) {
      for (std::size_t i = 0; i < products.size(); ++i) {
        const std::size_t begin = std::max(range.begin, first_unit[i]);
        const std::size_t end = std::min(range.end, first_unit[i + 1]);
        if (begin >= end) continue;
        const std::size_t first_row = (begin - first_unit[i]) * kUnitRows;
        const std::size_t last_row =
            std::min((end - first_unit[i]) * kUnitRows, products[i].matrix.weights.rows);
        multiply_rows(table_, products[i].matrix, first_row, last_row - first_row, activations_, 0,
                      tokens, products[i].out);
      }
    });
  }
  for (const Product& product : products) multiply_replaced(product, tokens, replacements);
}

}  // namespace bankai::model
