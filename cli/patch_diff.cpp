// What a patch would have to flip to turn one model file into another.
#include <algorithm>
#include <cstring>

#include "cli/patch_weights.h"
#include "model/bit1_file.h"
#include "model/tensor_names.h"
#include "patch/algebra.h"

namespace bankai::cli {
namespace {

// The same tensor in the other model. Errors (kMismatch): absent, or of another type or shape.
Result<const model::GgufTensor*> counterpart(const model::GgufTensor& tensor,
                                             const model::GgufFile& other) {
  const model::GgufTensor* found = other.find_tensor(tensor.name);
  if (found == nullptr)
    return make_error(ErrorCode::kMismatch, "%s: has no tensor '%s'", other.path().c_str(),
                      std::string(tensor.name).c_str());
  if (found->type != tensor.type || found->dims != tensor.dims)
    return make_error(ErrorCode::kMismatch, "%s: tensor '%s' has another type or shape",
                      other.path().c_str(), std::string(tensor.name).c_str());
  return found;
}

Result<std::vector<patch::Flip>> diff_gguf(const model::GgufFile& base,
                                           const model::GgufFile& modified) {
  if (base.tensors().size() != modified.tensors().size())
    return make_error(ErrorCode::kMismatch, "%s: has %zu tensors, the base has %zu",
                      modified.path().c_str(), modified.tensors().size(), base.tensors().size());
  std::vector<patch::Flip> flips;
  for (const model::GgufTensor& tensor : base.tensors()) {
    BANKAI_ASSIGN_OR_RETURN(const model::GgufTensor* other, counterpart(tensor, modified));
    if (std::memcmp(tensor.data.data(), other->data.data(), tensor.data.size()) == 0) continue;
    const auto address = model::parse_gguf_tensor_name(tensor.name);
    const auto before = patchable_weights(tensor);
    const auto after = patchable_weights(*other);
    if (!address || !before || !after)
      return make_error(ErrorCode::kMismatch,
                        "%s: tensor '%s' differs, and is no 1-bit or ternary matrix that a patch "
                        "can change",
                        modified.path().c_str(), std::string(tensor.name).c_str());
    const Status status = patch::diff_matrix(*address, *before, *after, flips);
    if (!status.ok()) return with_context(status.error(), modified.path());
  }
  return flips;
}

// The first byte in which two files of one length differ; the length if none does.
std::size_t first_difference(std::span<const std::byte> a, std::span<const std::byte> b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
}

Result<std::vector<patch::Flip>> diff_bit1(const model::Bit1File& base,
                                           const model::Bit1File& modified) {
  const std::span<const std::byte> before = base.bytes(), after = modified.bytes();
  if (before.size() != after.size() ||
      first_difference(before.first(model::kBit1HeaderBytes), after) != model::kBit1HeaderBytes)
    return make_error(ErrorCode::kMismatch, "%s: has another header than the base",
                      modified.path().c_str());
  std::vector<patch::Flip> flips;
  std::size_t compared = 0;  // bytes of both files that are known to be equal or covered by flips
  const auto check_rest = [&](std::size_t end) -> Status {
    const std::size_t at = first_difference(before.subspan(compared, end - compared),
                                            after.subspan(compared, end - compared)) +
                           compared;
    if (at == end) return {};
    return make_error(ErrorCode::kMismatch,
                      "%s: the byte at offset %zu differs, and is in no matrix that a patch can "
                      "change",
                      modified.path().c_str(), at);
  };
  for (const model::Bit1File::Matrix& matrix : base.matrices()) {
    const auto from = base.bit_view(matrix.address);
    if (!from) continue;
    BANKAI_RETURN_IF_ERROR(check_rest(matrix.offset));
    BANKAI_RETURN_IF_ERROR(
        patch::diff_matrix(matrix.address, *from, *modified.bit_view(matrix.address), flips));
    compared = matrix.offset + matrix.rows * matrix.cols / 8;
  }
  BANKAI_RETURN_IF_ERROR(check_rest(before.size()));
  return flips;
}

}  // namespace

Result<std::vector<patch::Flip>> diff_weights(const PatchWeights& base,
                                              const PatchWeights& modified) {
  if (base.gguf() != nullptr && modified.gguf() != nullptr)
    return diff_gguf(*base.gguf(), *modified.gguf());
  if (base.bit1() != nullptr && modified.bit1() != nullptr)
    return diff_bit1(*base.bit1(), *modified.bit1());
  return make_error(ErrorCode::kMismatch, "%s: is a %s file, the base a %s file",
                    modified.path().c_str(), modified.bit1() != nullptr ? "BIT1" : "GGUF",
                    base.bit1() != nullptr ? "BIT1" : "GGUF");
}

}  // namespace bankai::cli
