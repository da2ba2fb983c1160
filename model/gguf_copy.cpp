#include "model/gguf_copy.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/check.h"
#include "model/gguf_header.h"
#include "model/gguf_writer.h"

namespace bankai::model {
namespace {

void add_edited(GgufBuilder& builder, const GgufEdit& edit) {
  if (const auto* number = std::get_if<std::uint32_t>(&edit.value))
    builder.add<std::uint32_t>(edit.key, *number);
  else if (const auto* text = std::get_if<std::string>(&edit.value))
    builder.add_string(edit.key, *text);
}

Result<std::vector<std::byte>> edited_header(const GgufFile& source,
                                             std::span<const GgufEdit> edits) {
  GgufBuilder builder(source.version());
  for (const GgufValue& value : source.metadata()) {
    const auto edit = std::find_if(edits.begin(), edits.end(),
                                   [&value](const GgufEdit& e) { return e.key == value.key; });
    if (edit == edits.end())
      builder.add_value(value);
    else
      add_edited(builder, *edit);
  }
  for (const GgufEdit& edit : edits) {
    BANKAI_CHECK(edit.key != kGgufAlignmentKey, "an edit that would move the tensor data");
    if (source.find_value(edit.key) == nullptr) add_edited(builder, edit);
  }
  for (const GgufTensor& tensor : source.tensors())
    builder.add_tensor({std::string(tensor.name), tensor.type, tensor.dims, tensor.type_id});
  return builder.header();
}

}  // namespace

Status copy_gguf(const GgufFile& source, std::span<const GgufEdit> edits,
                 const GgufReplacement& replacement, const std::string& path, Overwrite overwrite) {
  std::span<const std::byte> header = source.bytes().first(source.data_offset());
  std::vector<std::byte> new_header;
  if (!edits.empty()) {
    BANKAI_ASSIGN_OR_RETURN(new_header, edited_header(source, edits));
    header = new_header;
  }
  BANKAI_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, overwrite));
  BANKAI_RETURN_IF_ERROR(file.write(header));
  std::uint64_t copied_to = source.data_offset();
  for (const GgufTensor& tensor : source.tensors()) {
    std::span<const std::byte> bytes;
    if (replacement) {
      BANKAI_ASSIGN_OR_RETURN(bytes, replacement(tensor));
    }
    if (bytes.empty()) continue;
    BANKAI_CHECK(bytes.size() == tensor.data.size(), "a replacement of another size");
    BANKAI_RETURN_IF_ERROR(
        file.write(source.bytes().subspan(copied_to, tensor.offset - copied_to)));
    BANKAI_RETURN_IF_ERROR(file.write(bytes));
    copied_to = tensor.offset + tensor.data.size();
  }
  BANKAI_RETURN_IF_ERROR(file.write(source.bytes().subspan(copied_to)));
  return file.commit();
}

}  // namespace bankai::model
