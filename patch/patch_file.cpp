#include "patch/patch_file.h"

#include <filesystem>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/format.h"
#include "core/mapped_file.h"
#include "patch/patch_binary.h"
#include "patch/patch_format.h"
#include "patch/patch_json.h"
#include "patch/text_rules.h"

namespace bankai::patch {
namespace {

Status check_size(std::uintmax_t size_bytes, const std::string& path) {
  if (size_bytes <= kMaxPatchFileBytes) return {};
  return make_error(ErrorCode::kBadInput,
                    "%s: %ju bytes, and a patch has at most %zu: is it a model?", path.c_str(),
                    size_bytes, kMaxPatchFileBytes);
}

// Models are taken for patches now and then: what is wrong with their JSON is of no help.
bool looks_like_json(std::string_view content) {
  const std::size_t first = content.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos || content[first] == '{' || content[first] == '[';
}

Result<Patch> parse(std::string_view content, bool binary, const std::string& name) {
  const auto bytes = std::as_bytes(std::span<const char>(content.data(), content.size()));
  if (binary || is_binary_patch(bytes)) return decode_binary(bytes);
  if (content.empty()) return Error{ErrorCode::kBadInput, "the file is empty"};
  if (!looks_like_json(content))
    return Error{ErrorCode::kBadInput,
                 "neither a binary patch (it would begin with \"BKP\") nor a JSON object"};
  return parse_json(content, label_prefix(name, name.size()));
}

}  // namespace

Result<Patch> read_patch(const std::string& path) {
  const bool standard_input = path == "-";
  if (!standard_input) {
    std::error_code unknown;  // a missing file is named by read_file
    const std::uintmax_t size_bytes = std::filesystem::file_size(path, unknown);
    if (!unknown) BANKAI_RETURN_IF_ERROR(check_size(size_bytes, path));
  }
  BANKAI_ASSIGN_OR_RETURN(const std::string content, read_file(path));
  BANKAI_RETURN_IF_ERROR(check_size(content.size(), path));
  const std::filesystem::path file = standard_input ? "patch" : path;
  Result<Patch> patch = parse(content, file.extension() == ".bkp", file.stem().string());
  if (!patch.ok()) return with_context(patch.error(), standard_input ? "standard input" : path);
  return patch;
}

Status write_patch(const Patch& patch, const std::string& path, Overwrite overwrite) {
  const std::string ending = std::filesystem::path(path).extension().string();
  std::string content;
  if (ending == ".bkp") {
    const std::vector<std::byte> bytes = encode_binary(patch);
    content.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  } else if (ending == ".json" || path == "-") {
    content = format_json(patch);
  } else {
    return make_error(ErrorCode::kUsage, "%s: a patch file ends in .json or .bkp", path.c_str());
  }
  if (content.size() > kMaxPatchFileBytes)
    return make_error(ErrorCode::kUnsupported,
                      "%s: the patch would take %zu bytes, more than a reader accepts (%zu)",
                      path.c_str(), content.size(), kMaxPatchFileBytes);
  return write_file(path, content, overwrite);
}

}  // namespace bankai::patch
