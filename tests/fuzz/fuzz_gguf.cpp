// Fuzz target: any bytes as a GGUF file. What is accepted is decoded completely and, encoded again
// by our own writer, must be accepted again with the same content.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/check.h"
#include "model/gguf_file.h"
#include "model/gguf_writer.h"
#include "tests/model/gguf_walk.h"

namespace {

using bankai::model::GgufBuilder;
using bankai::model::GgufFile;

void check_round_trip(const GgufFile& file) {
  GgufBuilder builder(file.version());
  for (const auto& value : file.metadata()) builder.add_value(value);
  for (const auto& tensor : file.tensors())
    builder.add_tensor({std::string(tensor.name), tensor.type, tensor.dims});
  const auto header = builder.header();
  BANKAI_CHECK(header.ok(), "a file that was read cannot be written");
  std::vector<std::byte> again = *header;
  const auto data = file.bytes().subspan(static_cast<std::size_t>(file.data_offset()));
  again.insert(again.end(), data.begin(), data.end());
  const auto copy = GgufFile::parse(again, "copy");
  BANKAI_CHECK(copy.ok(), "a file that was written cannot be read");
  BANKAI_CHECK(walk(*copy) - copy->data_offset() == walk(file) - file.data_offset(),
               "the copy holds something else");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = GgufFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
  // A declared alignment of gigabytes is legal and would make the header as large.
  if (file.ok() && file->alignment() <= 1U << 16U) check_round_trip(*file);
  return 0;
}
