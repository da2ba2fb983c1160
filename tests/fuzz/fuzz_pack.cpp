// Fuzz target: any bytes as a .bkpack file. What is accepted decodes to a model file of the size
// that it declares, or is refused; what decodes can be packed again.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/check.h"
#include "model/gguf_file.h"
#include "packer/pack_file.h"
#include "packer/pack_ledger.h"
#include "packer/pack_writer.h"

namespace {

constexpr std::uint64_t kMaxModel = std::uint64_t{1} << 22U;  // larger ones take long

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace packer = bankai::packer;
  const auto pack = packer::PackFile::parse(std::as_bytes(std::span(data, size)), "pack");
  if (!pack.ok() || pack->index().file_bytes > kMaxModel) return 0;
  std::vector<std::byte> model;
  const bankai::Status status = pack->decode_all(
      [&](std::uint64_t offset, std::span<const std::byte> bytes) {
        BANKAI_CHECK(offset == model.size(), "pieces out of order");
        model.insert(model.end(), bytes.begin(), bytes.end());
        return bankai::Status();
      },
      1, {});
  static_cast<void>(packer::audit_pack(*pack, 1, {}).ok());
  if (!status.ok()) return 0;
  BANKAI_CHECK(model.size() == pack->index().file_bytes, "a model file of another size");
  const auto file = bankai::model::GgufFile::parse(model, "model");
  if (!file.ok()) return 0;
  const auto source = packer::pack_source(*file);
  BANKAI_CHECK(source.ok(), "a readable model file whose header does not come back");
  BANKAI_CHECK(packer::measure_pack(*source, {}).ok(), "a readable model file cannot be packed");
  return 0;
}
