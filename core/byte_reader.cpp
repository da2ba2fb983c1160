#include "core/byte_reader.h"

namespace bankai {

Result<std::uint64_t> ByteReader::read_varint(const char* what) {
  const std::size_t start = offset_;
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    BANKAI_ASSIGN_OR_RETURN(const auto byte, read<std::uint8_t>(what));
    const std::uint64_t payload = byte & 0x7fU;
    if (shift == 63 && payload > 1)
      return make_error(ErrorCode::kBadInput, "%s at offset %zu does not fit 64 bits", what, start);
    value |= payload << shift;
    if ((byte & 0x80U) != 0) continue;
    if (payload == 0 && shift > 0)
      return make_error(ErrorCode::kBadInput, "%s at offset %zu is not in its shortest form", what,
                        start);
    return value;
  }
  return make_error(ErrorCode::kBadInput, "%s at offset %zu is longer than 10 bytes", what, start);
}

}  // namespace bankai
