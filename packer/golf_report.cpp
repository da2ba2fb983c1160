#include "packer/golf_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "core/byte_writer.h"
#include "core/format.h"
#include "packer/codec_table.h"
#include "packer/entropy.h"
#include "packer/general_coders.h"
#include "packer/payload.h"
#include "packer/trit_packing.h"

namespace bankai::packer {
namespace {

std::vector<std::byte> bits_of(std::span<const std::byte> weights) {
  std::vector<std::byte> bits((weights.size() + 7) / 8);
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (weights[i] == std::byte{1}) bits[i / 8] |= static_cast<std::byte>(1U << (i % 8));
  return bits;
}

double symbol_entropy_bits(std::span<const std::byte> weights) {
  std::array<std::uint64_t, 3> counts{};
  for (const std::byte weight : weights)
    ++counts[weight == std::byte{0xff} ? 0U : std::to_integer<std::size_t>(weight) + 1U];
  return entropy_bits(counts);
}

std::uint64_t bytes_of_bits(double bits) { return static_cast<std::uint64_t>(std::ceil(bits / 8)); }

class Repacker {
 public:
  explicit Repacker(int threads) : threads_(threads) {}

  // Adds a part of which `logical` is the content and `plain` what the published way compresses.
  Status add(const std::string& name, std::string_view kind, const Content& content,
             std::span<const std::byte> logical, std::span<const std::byte> plain,
             double entropy_bits_of_part) {
    const ContentSource source(content, logical);
    ChoiceOptions options;
    options.threads = threads_;
    options.with_payload = true;
    BANKAI_ASSIGN_OR_RETURN(const CodecChoice choice, choose_codec(source, options));
    BANKAI_ASSIGN_OR_RETURN(const PayloadReader reader,
                            PayloadReader::open(*choice.codec, content, choice.payload));
    std::vector<std::byte> again(logical.size());
    BANKAI_RETURN_IF_ERROR(reader.decode(again, threads_));
    if (!std::equal(again.begin(), again.end(), logical.begin()))
      return make_error(ErrorCode::kVerification, "tensor %s changed in codec %s",
                        quoted(name).c_str(), std::string(choice.codec->name()).c_str());
    GolfPart part;
    part.name = name;
    part.kind = kind;
    part.codec = choice.codec->name();
    part.elements = content.elements();
    part.zlib_bytes = zlib_coder().compress(plain).size();
    part.entropy_bytes = bytes_of_bits(entropy_bits_of_part);
    part.bytes = choice.bytes;
    parts_.push_back(std::move(part));
    return {};
  }

  Status add_matrix(const GolfCodedMatrix& matrix) {
    const bool is_signs = matrix.codes == GolfCodes::kSigns;
    const std::span<const std::byte> weights = matrix.weights;
    std::vector<std::byte> packed;
    if (is_signs) {
      packed = bits_of(weights);
    } else {
      packed.resize((weights.size() + 3) / 4);
      pack_two_bit(weights.size(), weights.data(), packed.data());
    }
    BANKAI_ASSIGN_OR_RETURN(const Content content,
                            make_content(is_signs ? ContentKind::kBits : ContentKind::kTrits,
                                         matrix.rows, matrix.padded_cols));
    BANKAI_RETURN_IF_ERROR(add(matrix.name, is_signs ? "signs" : "trits", content,
                               is_signs ? std::span<const std::byte>(packed) : weights, packed,
                               symbol_entropy_bits(weights)));
    if (matrix.group == 0) return {};
    return add_numbers(matrix.name, matrix.scales, matrix.rows);
  }

  // Scales of two bytes are a kind of their own; `rows` divides the number of elements.
  Status add_numbers(const std::string& name, const TorchTensor& tensor, std::uint64_t rows) {
    const auto size = static_cast<std::uint32_t>(torch_type_bytes(tensor.type));
    const bool is_scales = rows != 0 && size == 2;
    const std::uint64_t elements = tensor.elements();
    if (elements == 0) return {};
    if (rows == 0) rows = tensor.shape.size() == 2 ? tensor.shape[0] : 1;
    BANKAI_ASSIGN_OR_RETURN(const Content content,
                            make_content(is_scales ? ContentKind::kScales : ContentKind::kNumbers,
                                         rows, elements / rows, size));
    return add(name, is_scales ? "scales" : "numbers", content, tensor.bytes, tensor.bytes,
               byte_entropy_bits(tensor.bytes));
  }

  Status add_directory(const GolfCheckpoint& checkpoint) {
    ByteWriter writer;
    const auto write_name = [&](const std::string& name) {
      writer.write_varint(name.size());
      writer.write_text(name);
    };
    for (const GolfCodedMatrix& matrix : checkpoint.matrices) {
      write_name(matrix.name);
      writer.write(static_cast<std::uint8_t>(matrix.codes));
      for (const std::size_t size : {matrix.rows, matrix.cols, matrix.group})
        writer.write_varint(size);
      if (matrix.group == 0) writer.write(matrix.alpha);
    }
    for (const GolfNumbers& numbers : checkpoint.numbers) {
      write_name(numbers.name);
      writer.write(static_cast<std::uint8_t>(numbers.tensor.type));
      writer.write_varint(numbers.tensor.shape.size());
      for (const std::uint64_t size : numbers.tensor.shape) writer.write_varint(size);
    }
    BANKAI_ASSIGN_OR_RETURN(const Content content,
                            make_content(ContentKind::kBlob, 1, writer.size()));
    return add("(directory)", "directory", content, writer.bytes(), writer.bytes(),
               byte_entropy_bits(writer.bytes()));
  }

  std::vector<GolfPart> take() { return std::move(parts_); }

 private:
  int threads_;
  std::vector<GolfPart> parts_;
};

}  // namespace

Result<std::vector<GolfPart>> repack_golf(const GolfCheckpoint& checkpoint, int threads) {
  Repacker repacker(threads);
  for (const GolfCodedMatrix& matrix : checkpoint.matrices)
    BANKAI_RETURN_IF_ERROR(repacker.add_matrix(matrix));
  for (const GolfNumbers& numbers : checkpoint.numbers)
    BANKAI_RETURN_IF_ERROR(repacker.add_numbers(numbers.name, numbers.tensor, 0));
  BANKAI_RETURN_IF_ERROR(repacker.add_directory(checkpoint));
  return repacker.take();
}

}  // namespace bankai::packer
