// What torch.save wrote (PyTorch 1.6 and later): a ZIP archive with a pickle, data.pkl, and one
// entry for each storage. A bare pickle without tensors is taken as well. Nothing of it is executed
// (pickle_reader.h). The layout: docs/formats/golf.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "packer/pickle_reader.h"
#include "packer/stored_zip.h"

namespace bankai::packer {

enum class TorchType : std::uint8_t {
  kF64,
  kF32,
  kF16,
  kBf16,
  kF8E4M3,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool
};
std::size_t torch_type_bytes(TorchType type);
const char* torch_type_name(TorchType type);

// A tensor in row-major order.
struct TorchTensor {
  TorchType type = TorchType::kF32;
  std::vector<std::uint64_t> shape;
  std::span<const std::byte> bytes;  // in the archive; elements() elements, little-endian

  std::uint64_t elements() const { return bytes.size() / torch_type_bytes(type); }
};

class TorchArchive {
 public:
  // `bytes` outlive the archive. Errors: those of read_stored_zip and PickleTree::read; kBadInput
  // for an archive without data.pkl, kUnsupported for a big-endian one.
  static Result<TorchArchive> read(std::span<const std::byte> bytes);

  const PickleTree& tree() const { return tree_; }
  // kBadInput for a value that is no tensor, or one that ends outside its storage; kUnsupported for
  // strides that are not row-major.
  Result<TorchTensor> tensor(const PickleValue& value) const;

 private:
  explicit TorchArchive(PickleTree tree) : tree_(std::move(tree)) {}
  Result<std::span<const std::byte>> storage(const PickleValue& value, TorchType* type) const;
  Result<std::vector<std::uint64_t>> sizes(const PickleValue& value) const;

  PickleTree tree_;
  std::vector<ZipEntry> entries_;
  std::string folder_;  // of the entries, with its slash
};

}  // namespace bankai::packer
