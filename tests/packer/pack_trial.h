// Packs of model files in memory, for the tests.
#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/mapped_file.h"
#include "model/gguf_file.h"
#include "packer/pack_model.h"
#include "packer/pack_writer.h"
#include "tests/support/temp_dir.h"

namespace bankai::packer {

inline std::vector<std::byte> bytes_of_text(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// The bytes of the pack of a model file. Throws std::runtime_error with the error's message.
inline std::vector<std::byte> pack_bytes(std::span<const std::byte> model,
                                         const PackOptions& options = {}) {
  const testing::TempDir folder;
  const auto file = model::GgufFile::parse(model, "model");
  if (!file.ok()) throw std::runtime_error(file.error().message);
  const auto source = pack_source(*file);
  if (!source.ok()) throw std::runtime_error(source.error().message);
  const auto ledger = write_pack(*source, options, folder.path("pack"), Overwrite::kRefuse);
  if (!ledger.ok()) throw std::runtime_error(ledger.error().message);
  return bytes_of_text(read_file(folder.path("pack")).value());
}

// All bytes of the model file in a pack.
inline Result<std::vector<std::byte>> unpack_bytes(std::span<const std::byte> pack,
                                                   int threads = 1) {
  BANKAI_ASSIGN_OR_RETURN(const PackFile file, PackFile::parse(pack, "pack"));
  std::vector<std::byte> all;
  BANKAI_RETURN_IF_ERROR(file.decode_all(
      [&](std::uint64_t offset, std::span<const std::byte> bytes) -> Status {
        if (offset != all.size()) return make_error(ErrorCode::kInternal, "pieces out of order");
        all.insert(all.end(), bytes.begin(), bytes.end());
        return {};
      },
      threads, {}));
  return all;
}

}  // namespace bankai::packer
