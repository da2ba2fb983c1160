#include "cli/kv_options.h"

#include "core/format.h"

namespace bankai::cli {

namespace po = boost::program_options;

void add_kv_options(CommandLine& line) {
  const std::string bits =
      "bits of an element of the keys and values: " + model::kv_storage_names() +
      " (default: 16 for a8, 32 for a16)";
  line.group("Keys and values")("kv-bits", po::value<std::string>(), bits.c_str())(
      "kv-quant", po::value<std::string>(),
      "how codes of 8 bits and fewer are found: kv1 (default), or rotated")(
      "kv-type", po::value<std::string>(), "f16 or f32: the same as --kv-bits 16 or 32");
}

Result<model::KvFormat> make_kv_format(const char* bits_option, const std::string& bits,
                                       const char* quantiser_option, const std::string* quantiser) {
  const std::optional<model::KvStorage> storage = model::find_kv_storage(bits);
  if (!storage)
    return make_error(ErrorCode::kUsage, "--%s %s: expected one of %s", bits_option,
                      quoted(bits).c_str(), model::kv_storage_names().c_str());
  model::KvFormat format = *storage;
  if (quantiser == nullptr) return format;
  const std::optional<model::KvQuantiser> found = model::find_kv_quantiser(*quantiser);
  if (!found)
    return make_error(ErrorCode::kUsage, "--%s %s: expected kv1 or rotated", quantiser_option,
                      quoted(*quantiser).c_str());
  if (!format.is_packed())
    return make_error(ErrorCode::kUsage, "--%s goes with --%s 8 or fewer", quantiser_option,
                      bits_option);
  format.quantiser = *found;
  return format;
}

Result<std::optional<model::KvFormat>> read_kv_format(const CommandLine& line) {
  if (line.has("kv-type")) {
    if (line.has("kv-bits") || line.has("kv-quant"))
      return Error{ErrorCode::kUsage, "only one of --kv-type and --kv-bits at a time"};
    const auto& type = line.get<std::string>("kv-type");
    if (type == "f16") return std::optional<model::KvFormat>(model::KvStorage::kF16);
    if (type == "f32") return std::optional<model::KvFormat>(model::KvStorage::kF32);
    return make_error(ErrorCode::kUsage, "--kv-type %s: expected f16 or f32", quoted(type).c_str());
  }
  const std::string* quantiser =
      line.has("kv-quant") ? &line.get<std::string>("kv-quant") : nullptr;
  if (!line.has("kv-bits")) {
    if (quantiser == nullptr) return std::optional<model::KvFormat>();
    return Error{ErrorCode::kUsage, "--kv-quant goes with --kv-bits 8 or fewer"};
  }
  BANKAI_ASSIGN_OR_RETURN(
      const model::KvFormat format,
      make_kv_format("kv-bits", line.get<std::string>("kv-bits"), "kv-quant", quantiser));
  return std::optional<model::KvFormat>(format);
}

}  // namespace bankai::cli
