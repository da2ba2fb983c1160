#include "model/kv_format.h"

namespace bankai::model {
namespace {

constexpr KvStorageInfo kStorages[] = {
    {KvStorage::kF32, "32", 32, 0}, {KvStorage::kF16, "16", 16, 0},
    {KvStorage::kBits8, "8", 8, 4}, {KvStorage::kBits4, "4", 4, 4},
    {KvStorage::kBits2, "2", 2, 4}, {KvStorage::kSigns, "1.5", 1, 2},
    {KvStorage::kBits1, "1", 1, 0},
};

constexpr std::size_t kRun = 16;  // elements

}  // namespace

std::span<const KvStorageInfo> kv_storages() { return kStorages; }

const KvStorageInfo& kv_storage_info(KvStorage storage) {
  return kStorages[static_cast<std::size_t>(storage)];
}

std::optional<KvStorage> find_kv_storage(std::string_view name) {
  for (const KvStorageInfo& info : kStorages)
    if (name == info.name) return info.storage;
  return std::nullopt;
}

std::string kv_storage_names() {
  std::string names;
  for (const KvStorageInfo& info : kStorages)
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  return names;
}

const char* kv_quantiser_name(KvQuantiser quantiser) {
  return quantiser == KvQuantiser::kKv1 ? "kv1" : "rotated";
}

std::optional<KvQuantiser> find_kv_quantiser(std::string_view name) {
  for (const KvQuantiser quantiser : {KvQuantiser::kKv1, KvQuantiser::kRotated})
    if (name == kv_quantiser_name(quantiser)) return quantiser;
  return std::nullopt;
}

std::string kv_format_text(const KvFormat& format) {
  const std::string bits = std::string(kv_storage_info(format.storage).name) + " bits";
  return format.is_packed() ? bits + " (" + kv_quantiser_name(format.quantiser) + ")" : bits;
}

std::size_t kv_key_bytes(const KvFormat& format, std::size_t head_dim) {
  const KvStorageInfo& info = kv_storage_info(format.storage);
  // Of 16 positions together, in runs of one dimension: head_dim runs of 2 · bits bytes.
  return (head_dim * info.bits + 7) / 8 + info.metadata_bytes;
}

std::size_t kv_value_bytes(const KvFormat& format, std::size_t head_dim) {
  if (!format.is_packed()) return kv_key_bytes(format, head_dim);
  return kv_key_bytes(format, (head_dim + kRun - 1) / kRun * kRun);
}

}  // namespace bankai::model
