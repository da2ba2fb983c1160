// How keys and values of past positions are kept: as floats, or as codes of few bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/kernel_table.h"

namespace bankai::model {

using kernels::KvType;

enum class KvStorage : std::uint8_t { kF32, kF16, kBits8, kBits4, kBits2, kSigns, kBits1 };

// One vector is the key or the value of one position and one head.
struct KvStorageInfo {
  KvStorage storage = KvStorage::kF32;
  const char* name = "";           // bits per element, as in --kv-bits
  std::size_t bits = 0;            // of an element
  std::size_t metadata_bytes = 0;  // of a vector: fp16 scale and, of affine codes, fp16 minimum
};
// In the order of KvStorage.
std::span<const KvStorageInfo> kv_storages();
const KvStorageInfo& kv_storage_info(KvStorage storage);
std::optional<KvStorage> find_kv_storage(std::string_view name);
std::string kv_storage_names();  // "32, 16, 8, …"

// How codes are found for a vector (kv_quantiser.h); floats are rounded in one way only.
//   kKv1      the published quantiser: the range of the vector, codes of unrounded minimum and
//             scale
//   kRotated  the same bytes: the vector is rotated first, the range is the one of least error, and
//             products with it are right on average
enum class KvQuantiser : std::uint8_t { kKv1, kRotated };
const char* kv_quantiser_name(KvQuantiser quantiser);
std::optional<KvQuantiser> find_kv_quantiser(std::string_view name);

struct KvFormat {
  KvStorage storage = KvStorage::kF16;
  KvQuantiser quantiser = KvQuantiser::kKv1;

  KvFormat(KvStorage kv_storage, KvQuantiser kv_quantiser = KvQuantiser::kKv1)
      : storage(kv_storage), quantiser(kv_quantiser) {}
  KvFormat(KvType type) : storage(type == KvType::kF16 ? KvStorage::kF16 : KvStorage::kF32) {}

  bool is_packed() const { return storage != KvStorage::kF32 && storage != KvStorage::kF16; }
  bool rotates() const { return is_packed() && quantiser == KvQuantiser::kRotated; }
  // REQUIRES: not packed.
  KvType float_type() const { return storage == KvStorage::kF16 ? KvType::kF16 : KvType::kF32; }
  bool operator==(const KvFormat&) const = default;
};

// "2 bits (kv1)", "16 bits".
std::string kv_format_text(const KvFormat& format);

// Bytes of a key and of a value of one position and head. Values are in whole runs of 16 elements.
std::size_t kv_key_bytes(const KvFormat& format, std::size_t head_dim);
std::size_t kv_value_bytes(const KvFormat& format, std::size_t head_dim);

}  // namespace bankai::model
