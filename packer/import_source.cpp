#include "packer/import_source.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "core/format.h"
#include "model/gguf_file.h"
#include "packer/import_model.h"
#include "packer/import_writer.h"

namespace bankai::packer {
namespace {

// What the tensors are converted with, kept together as long as the source is in use.
struct Import {
  ImportModel model;
  ImportOptions options;
  std::vector<std::byte> metadata;  // as a GGUF file without tensors
  std::optional<ImportWriter> writer;
  std::vector<std::size_t> tensor_bytes;
  std::vector<std::byte> tensor;  // the one that was asked for last
};

Result<GgufOutline> outline_of_import(const Import& import, const std::string& folder) {
  BANKAI_ASSIGN_OR_RETURN(const model::GgufFile file,
                          model::GgufFile::parse(import.metadata, folder));
  GgufOutline outline = outline_of(file);
  for (const ImportTensor& tensor : import.model.tensors)
    outline.tensors.push_back(
        {.name = tensor.spec.name,
         .dims = tensor.spec.dims,
         .type = tensor.spec.type,
         .type_id = tensor.spec.type_id.value_or(static_cast<std::uint32_t>(tensor.spec.type))});
  return outline;
}

}  // namespace

Result<ImportSource> import_source(const std::string& folder, const ImportOptions& options) {
  const auto import = std::make_shared<Import>();
  import->options = options;
  BANKAI_ASSIGN_OR_RETURN(import->model, import_checkpoint(folder, options));
  BANKAI_RETURN_IF_ERROR(check_blocks(import->model, folder));
  BANKAI_ASSIGN_OR_RETURN(import->metadata, import->model.builder.header());
  import->writer.emplace(folder, import->model, import->options);
  ImportSource result{import, {}};
  PackSource& source = result.source;
  BANKAI_ASSIGN_OR_RETURN(source.outline, outline_of_import(*import, folder));
  BANKAI_ASSIGN_OR_RETURN(const model::GgufFile file,
                          model::GgufFile::parse(import->metadata, folder));
  source.values = encoded_values(file);
  BANKAI_ASSIGN_OR_RETURN(const GgufLayout layout,
                          GgufLayout::make(source.outline, source.values.size()));
  source.file_bytes = layout.padded_end();
  for (std::size_t i = 0; i < source.outline.tensors.size(); ++i)
    import->tensor_bytes.push_back(static_cast<std::size_t>(layout.shape(i).bytes));
  source.data = [raw = import.get()](std::size_t tensor) -> Result<std::span<const std::byte>> {
    raw->tensor.clear();
    raw->tensor.reserve(raw->tensor_bytes[tensor]);
    BANKAI_RETURN_IF_ERROR(raw->writer->write(tensor, [raw](std::span<const std::byte> bytes) {
      raw->tensor.insert(raw->tensor.end(), bytes.begin(), bytes.end());
      return Status();
    }));
    return std::span<const std::byte>(raw->tensor);
  };
  return result;
}

Result<PageMemory> source_image(const PackSource& source) {
  BANKAI_ASSIGN_OR_RETURN(const GgufLayout layout,
                          GgufLayout::make(source.outline, source.values.size()));
  BANKAI_ASSIGN_OR_RETURN(PageMemory memory,
                          PageMemory::allocate(static_cast<std::size_t>(source.file_bytes)));
  std::ranges::copy(gguf_header(source.outline, source.values, layout), memory.bytes().begin());
  for (std::size_t i = 0; i < source.outline.tensors.size(); ++i) {
    BANKAI_ASSIGN_OR_RETURN(const std::span<const std::byte> data, source.data(i));
    std::ranges::copy(data,
                      memory.bytes().subspan(static_cast<std::size_t>(layout.offset(i))).begin());
  }
  return memory;
}

}  // namespace bankai::packer
