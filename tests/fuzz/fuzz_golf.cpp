// Fuzz target: any bytes as a parameter-golf checkpoint, as a torch.save archive and as a pickle.
// What is accepted is built into a model, too.
#include <cstddef>
#include <cstdint>
#include <span>

#include "packer/golf_builder.h"
#include "packer/golf_checkpoint.h"
#include "packer/pickle_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  static_cast<void>(bankai::packer::PickleTree::read(bytes).ok());
  const auto checkpoint = bankai::packer::read_golf_checkpoint(bytes);
  if (checkpoint.ok())
    static_cast<void>(
        bankai::packer::build_golf_model(*checkpoint, bankai::packer::GolfAlpha::kStored, {}).ok());
  return 0;
}
