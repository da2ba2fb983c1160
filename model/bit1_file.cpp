#include "model/bit1_file.h"

#include <cstring>
#include <limits>
#include <utility>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/check.h"
#include "core/format.h"
#include "core/mapped_file.h"

namespace bankai::model {
namespace {

using Bytes = std::span<const std::byte>;

// Sums and products that remember an overflow.
class CheckedSize {
 public:
  explicit CheckedSize(std::uint64_t value) : value_(value) {}
  CheckedSize operator+(CheckedSize other) const {
    CheckedSize sum(0);
    sum.overflow_ =
        __builtin_add_overflow(value_, other.value_, &sum.value_) || overflow_ || other.overflow_;
    return sum;
  }
  CheckedSize operator*(CheckedSize other) const {
    CheckedSize product(0);
    product.overflow_ = __builtin_mul_overflow(value_, other.value_, &product.value_) ||
                        overflow_ || other.overflow_;
    return product;
  }
  bool fits() const { return !overflow_; }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_;
  bool overflow_ = false;
};

CheckedSize matrix_bytes(std::size_t rows, std::size_t cols) {
  return CheckedSize(rows) * CheckedSize(8 * BinaryMatrix::words_of(cols));
}

CheckedSize file_bytes(const BinaryShape& shape) {
  CheckedSize layer = CheckedSize(4) * CheckedSize(shape.num_heads);
  BinaryLayer none;
  for_each_linear(shape, none, [&](const char*, BinaryLinear&, std::size_t rows, std::size_t cols) {
    layer = layer + matrix_bytes(rows, cols) + CheckedSize(4) * CheckedSize(rows);
  });
  return CheckedSize(kBit1HeaderBytes) + matrix_bytes(2 * shape.vocabulary, shape.width) +
         CheckedSize(8) * CheckedSize(shape.vocabulary) + CheckedSize(shape.num_layers) * layer;
}

// A header field of 32 bits in [1, most].
Status read_size(ByteReader& reader, const char* field, std::size_t most, std::size_t& size) {
  const std::size_t offset = reader.offset();
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t value, reader.read<std::uint32_t>(field));
  if (value < 1 || value > most)
    return make_error(ErrorCode::kBadInput, "%s at offset %zu is %lu, expected 1 to %zu", field,
                      offset, static_cast<unsigned long>(value), most);
  size = value;
  return {};
}

Status read_header(ByteReader& reader, std::size_t num_bytes, BinaryModel& model) {
  constexpr std::size_t kAny = std::numeric_limits<std::uint32_t>::max();
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t magic, reader.read<std::uint32_t>("magic"));
  if (magic != kBit1Magic)
    return make_error(ErrorCode::kBadInput, "magic at offset 0 is 0x%08lx, expected 0x%08lx (BIT1)",
                      static_cast<unsigned long>(magic), static_cast<unsigned long>(kBit1Magic));
  BANKAI_ASSIGN_OR_RETURN(const std::uint32_t version, reader.read<std::uint32_t>("version"));
  if (version != kBit1Version)
    return make_error(ErrorCode::kUnsupported, "version at offset 4 is %lu, expected %lu",
                      static_cast<unsigned long>(version),
                      static_cast<unsigned long>(kBit1Version));
  BinaryShape& shape = model.shape;
  const std::size_t most_tokens = std::numeric_limits<std::int32_t>::max();
  BANKAI_RETURN_IF_ERROR(read_size(reader, "vocab", most_tokens, shape.vocabulary));
  BANKAI_RETURN_IF_ERROR(read_size(reader, "d_model", kBit1MaxWidth, shape.width));
  BANKAI_RETURN_IF_ERROR(read_size(reader, "n_layers", kAny, shape.num_layers));
  BANKAI_RETURN_IF_ERROR(read_size(reader, "n_heads", shape.width, shape.num_heads));
  if (shape.width % shape.num_heads != 0)
    return make_error(ErrorCode::kBadInput,
                      "n_heads at offset 20 is %zu, expected a divisor of d_model %zu",
                      shape.num_heads, shape.width);
  BANKAI_RETURN_IF_ERROR(read_size(reader, "d_ff", kBit1MaxWidth, shape.feed_forward));
  BANKAI_RETURN_IF_ERROR(read_size(reader, "max_seq_len", kAny, shape.context));
  BANKAI_ASSIGN_OR_RETURN(model.logit_multiplier, reader.read<std::int64_t>("logit_scale_M"));
  const std::int64_t most =
      std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(2 * shape.width);
  if (model.logit_multiplier < 1 || model.logit_multiplier > most)
    return make_error(ErrorCode::kBadInput,
                      "logit_scale_M at offset 32 is %lld, expected 1 to %lld at this d_model",
                      static_cast<long long>(model.logit_multiplier), static_cast<long long>(most));
  const CheckedSize expected = file_bytes(shape);
  if (!expected.fits())
    return make_error(ErrorCode::kBadInput,
                      "the header (offsets 8 to 31) asks for more than 2^64 bytes; the file has "
                      "%zu",
                      num_bytes);
  if (expected.value() != num_bytes)
    return make_error(ErrorCode::kBadInput,
                      "the header (offsets 8 to 31) asks for a file of %llu bytes, it has %zu",
                      static_cast<unsigned long long>(expected.value()), num_bytes);
  return {};
}

template <typename T>
Status read_array(ByteReader& reader, const char* what, std::size_t count, std::vector<T>& values) {
  BANKAI_ASSIGN_OR_RETURN(const Bytes raw, reader.read_bytes(count * sizeof(T), what));
  values.resize(count);
  std::memcpy(values.data(), raw.data(), raw.size());
  return {};
}

Status read_matrix(ByteReader& reader, const char* what, std::size_t rows, std::size_t cols,
                   BinaryMatrix& matrix) {
  const std::size_t offset = reader.offset();
  matrix.rows = rows;
  matrix.cols = cols;
  const std::size_t words = matrix.row_words();
  BANKAI_RETURN_IF_ERROR(read_array(reader, what, rows * words, matrix.bits));
  const std::uint64_t unused = ~BinaryMatrix::last_word_mask(cols);
  for (std::size_t row = 0; unused != 0 && row < rows; ++row) {
    const std::uint64_t last = matrix.row(row)[words - 1];
    if ((last & unused) != 0)
      return make_error(ErrorCode::kBadInput,
                        "%s: row %zu, last word at offset %zu is 0x%llx, expected zeros in the "
                        "bits beyond column %zu",
                        what, row, offset + 8 * ((row + 1) * words - 1),
                        static_cast<unsigned long long>(last), cols);
  }
  return {};
}

Status read_layer(ByteReader& reader, const BinaryShape& shape, BinaryLayer& layer) {
  BANKAI_RETURN_IF_ERROR(read_array(reader, "alibi_slope", shape.num_heads, layer.slopes));
  Status status;
  for_each_linear(shape, layer,
                  [&](const char* name, BinaryLinear& linear, std::size_t rows, std::size_t cols) {
                    if (status.ok()) status = read_matrix(reader, name, rows, cols, linear.weights);
                    if (status.ok()) status = read_array(reader, name, rows, linear.thresholds);
                  });
  return status;
}

Status read_biases(ByteReader& reader, BinaryModel& model) {
  const std::size_t offset = reader.offset();
  BANKAI_RETURN_IF_ERROR(read_array(reader, "int_out_bias", model.shape.vocabulary, model.biases));
  const std::int64_t most = std::numeric_limits<std::int64_t>::max() / 2 -
                            model.logit_multiplier * static_cast<std::int64_t>(model.shape.width);
  for (std::size_t v = 0; v < model.biases.size(); ++v)
    if (model.biases[v] > most || model.biases[v] < -most)
      return make_error(ErrorCode::kBadInput,
                        "int_out_bias[%zu] at offset %zu is %lld, expected at most %lld in size: "
                        "logits stay below 2^62",
                        v, offset + 8 * v, static_cast<long long>(model.biases[v]),
                        static_cast<long long>(most));
  return {};
}

Result<BinaryModel> parse(Bytes bytes) {
  ByteReader reader(bytes);
  BinaryModel model;
  BANKAI_RETURN_IF_ERROR(read_header(reader, bytes.size(), model));
  const BinaryShape& shape = model.shape;
  BANKAI_RETURN_IF_ERROR(
      read_matrix(reader, "embedding", shape.vocabulary, shape.width, model.embedding));
  model.layers.resize(shape.num_layers);
  for (std::size_t i = 0; i < shape.num_layers; ++i) {
    const Status status = read_layer(reader, shape, model.layers[i]);
    if (!status.ok()) return with_context(status.error(), format("layer %zu", i));
  }
  BANKAI_RETURN_IF_ERROR(
      read_matrix(reader, "output codebook", shape.vocabulary, shape.width, model.codebook));
  BANKAI_RETURN_IF_ERROR(read_biases(reader, model));
  return model;
}

template <typename T>
void write_array(ByteWriter& writer, const std::vector<T>& values, std::size_t count) {
  BANKAI_CHECK(values.size() == count, "a binary model whose parts do not fit its shape");
  writer.write_bytes(std::as_bytes(std::span(values)));
}

}  // namespace

bool is_bit1(std::span<const std::byte> bytes) {
  std::uint32_t magic = 0;
  if (bytes.size() < sizeof magic) return false;
  std::memcpy(&magic, bytes.data(), sizeof magic);
  return magic == kBit1Magic;
}

Result<BinaryModel> parse_bit1(std::span<const std::byte> bytes, const std::string& name) {
  Result<BinaryModel> model = parse(bytes);
  if (!model.ok()) return with_context(std::move(model).error(), name);
  return model;
}

Result<BinaryModel> read_bit1(const std::string& path) {
  BANKAI_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  return parse_bit1(file.bytes(), path);
}

std::vector<std::byte> encode_bit1(const BinaryModel& model) {
  const BinaryShape& shape = model.shape;
  ByteWriter writer;
  writer.write(kBit1Magic);
  writer.write(kBit1Version);
  for (const std::size_t size : {shape.vocabulary, shape.width, shape.num_layers, shape.num_heads,
                                 shape.feed_forward, shape.context})
    writer.write(static_cast<std::uint32_t>(size));
  writer.write(model.logit_multiplier);
  const std::size_t table_words = shape.vocabulary * BinaryMatrix::words_of(shape.width);
  write_array(writer, model.embedding.bits, table_words);
  BANKAI_CHECK(model.layers.size() == shape.num_layers, "a layer too many or too few");
  for (const BinaryLayer& layer : model.layers) {
    write_array(writer, layer.slopes, shape.num_heads);
    for_each_linear(
        shape, layer,
        [&](const char*, const BinaryLinear& linear, std::size_t rows, std::size_t cols) {
          write_array(writer, linear.weights.bits, rows * BinaryMatrix::words_of(cols));
          write_array(writer, linear.thresholds, rows);
        });
  }
  write_array(writer, model.codebook.bits, table_words);
  write_array(writer, model.biases, shape.vocabulary);
  return std::move(writer).bytes();
}

Status write_bit1(const BinaryModel& model, const std::string& path, Overwrite overwrite) {
  BANKAI_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, overwrite));
  BANKAI_RETURN_IF_ERROR(file.write(std::span<const std::byte>(encode_bit1(model))));
  return file.commit();
}

}  // namespace bankai::model
