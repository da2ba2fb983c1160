#include "model/safetensors_writer.h"

#include <set>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/format.h"
#include "model/safetensors_header.h"

namespace bankai::model {
namespace {

Result<std::uint64_t> bytes_of(const SafetensorsSpec& tensor) {
  std::uint64_t bytes = safetensors_type_info(tensor.type).bytes;
  for (const std::uint64_t dim : tensor.shape)
    if (__builtin_mul_overflow(bytes, dim, &bytes))
      return make_error(ErrorCode::kBadInput, "tensor %s: the product of its shape is too large",
                        bankai::quoted(tensor.name).c_str());
  return bytes;
}

}  // namespace

Result<std::string> safetensors_header(std::span<const SafetensorsSpec> tensors,
                                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!metadata.empty()) json["__metadata__"] = metadata;
  std::set<std::string_view> names;
  std::uint64_t offset = 0;
  for (const SafetensorsSpec& tensor : tensors) {
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t bytes, bytes_of(tensor));
    if (tensor.name == "__metadata__" || !names.insert(tensor.name).second)
      return make_error(ErrorCode::kBadInput, "tensor %s: the name is taken",
                        bankai::quoted(tensor.name).c_str());
    if (tensor.shape.size() > kSafetensorsMaxDims || bytes > UINT64_MAX - offset)
      return make_error(ErrorCode::kBadInput, "tensor %s: too many dimensions or bytes",
                        bankai::quoted(tensor.name).c_str());
    json[tensor.name] = {{"dtype", std::string(safetensors_type_info(tensor.type).name)},
                         {"shape", tensor.shape},
                         {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > kSafetensorsMaxHeader)
    return make_error(ErrorCode::kBadInput, "a header of %zu bytes, the format allows %llu",
                      text.size(), static_cast<unsigned long long>(kSafetensorsMaxHeader));
  return text;
}

Status write_safetensors(const std::string& path, Overwrite overwrite,
                         std::span<const SafetensorsSpec> tensors,
                         const std::map<std::string, std::string>& metadata,
                         const SafetensorsSource& source) {
  BANKAI_ASSIGN_OR_RETURN(const std::string header, safetensors_header(tensors, metadata));
  BANKAI_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, overwrite));
  const std::uint64_t length = header.size();
  BANKAI_RETURN_IF_ERROR(file.write(std::as_bytes(std::span(&length, 1))));
  BANKAI_RETURN_IF_ERROR(file.write(header));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    BANKAI_ASSIGN_OR_RETURN(std::uint64_t missing, bytes_of(tensors[i]));
    const auto write = [&file, &missing](std::span<const std::byte> part) -> Status {
      if (part.size() > missing)
        return make_error(ErrorCode::kInternal, "a tensor with more bytes than its shape");
      missing -= part.size();
      return file.write(part);
    };
    BANKAI_RETURN_IF_ERROR(source(i, write));
    if (missing != 0)
      return make_error(ErrorCode::kInternal, "tensor %s lacks %llu bytes",
                        bankai::quoted(tensors[i].name).c_str(),
                        static_cast<unsigned long long>(missing));
  }
  return file.commit();
}

}  // namespace bankai::model
