#include "model/piece_file.h"

#include <cstring>

#include "core/format.h"

namespace bankai::model {
namespace {

enum class Wire : std::uint8_t { kVarint = 0, kEight = 1, kBytes = 2, kFour = 5 };

struct Field {
  std::uint64_t number = 0;
  Wire wire = Wire::kVarint;
  std::uint64_t value = 0;  // of a varint, or the bits of four or eight bytes
  std::string_view bytes;
};

// The fields of one message, one after the other.
class FieldReader {
 public:
  // `file`: all bytes, for offsets; `message` is part of it.
  FieldReader(std::string_view file, std::string_view message) : file_(file), rest_(message) {}

  bool at_end() const { return rest_.empty(); }

  Result<Field> next() {
    Field field;
    BANKAI_ASSIGN_OR_RETURN(const std::uint64_t tag, varint());
    if (tag > UINT32_MAX) return damaged("a field with too large a number");
    field.number = tag >> 3U;
    field.wire = static_cast<Wire>(tag & 7U);
    switch (field.wire) {
      case Wire::kVarint: {
        BANKAI_ASSIGN_OR_RETURN(field.value, varint());
        return field;
      }
      case Wire::kBytes: {
        BANKAI_ASSIGN_OR_RETURN(const std::uint64_t size, varint());
        BANKAI_ASSIGN_OR_RETURN(field.bytes, take(size));
        return field;
      }
      case Wire::kFour:
      case Wire::kEight: {
        BANKAI_ASSIGN_OR_RETURN(const std::string_view bits,
                                take(field.wire == Wire::kFour ? 4 : 8));
        std::memcpy(&field.value, bits.data(), bits.size());
        return field;
      }
    }
    return damaged("a field of an unknown kind");
  }

 private:
  Error damaged(const char* what) const {
    return make_error(ErrorCode::kBadInput, "no SentencePiece vocabulary: %s at offset %zu", what,
                      static_cast<std::size_t>(rest_.data() - file_.data()));
  }

  Result<std::string_view> take(std::uint64_t size) {
    if (size > rest_.size()) return damaged("a field that ends behind what holds it,");
    const std::string_view bytes = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

  Result<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      BANKAI_ASSIGN_OR_RETURN(const std::string_view byte, take(1));
      const auto bits = static_cast<std::uint8_t>(byte[0]);
      value |= std::uint64_t{bits & 0x7FU} << shift;
      if (bits < 0x80) return value;
    }
    return damaged("a number without an end");
  }

  std::string_view file_;
  std::string_view rest_;
};

// use(field) for every field of the message.
template <typename Use>
Status read_fields(std::string_view file, std::string_view message, Use use) {
  for (FieldReader reader(file, message); !reader.at_end();) {
    BANKAI_ASSIGN_OR_RETURN(const Field field, reader.next());
    BANKAI_RETURN_IF_ERROR(use(field));
  }
  return {};
}

Status read_piece(std::string_view file, std::string_view message, PieceFile& out) {
  PieceFile::Piece& piece = out.pieces.emplace_back();
  return read_fields(file, message, [&](const Field& field) -> Status {
    if (field.number == 1 && field.wire == Wire::kBytes) piece.text = field.bytes;
    if (field.number == 2 && field.wire == Wire::kFour)
      std::memcpy(&piece.score, &field.value, sizeof piece.score);
    if (field.number != 3 || field.wire != Wire::kVarint) return {};
    if (field.value < 1 || field.value > 6)
      return make_error(ErrorCode::kBadInput, "piece %zu has the type %llu, expected 1 to 6",
                        out.pieces.size() - 1, static_cast<unsigned long long>(field.value));
    piece.type = static_cast<TokenType>(field.value);
    return {};
  });
}

Status read_trainer(std::string_view file, std::string_view message, PieceFile& out) {
  return read_fields(file, message, [&](const Field& field) -> Status {
    if (field.wire != Wire::kVarint) return {};
    const struct {
      std::uint64_t number;
      std::optional<std::uint64_t>& id;
    } ids[] = {{40, out.unknown}, {41, out.bos}, {42, out.eos}, {43, out.padding}};
    constexpr std::uint64_t kBpe = 2;
    if (field.number == 3) out.is_bpe = field.value == kBpe;
    if (field.number == 24) out.space_is_suffix = field.value != 0;
    for (const auto& [number, id] : ids)
      if (field.number == number) {
        id.reset();
        if (static_cast<std::int64_t>(field.value) >= 0) id = field.value;
      }
    return {};
  });
}

// Little-endian numbers of 4 bytes.
std::uint32_t number_at(std::string_view bytes, std::size_t index) {
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data() + index * sizeof number, sizeof number);
  return number;
}

// A map is the size of a double-array trie (darts-clone), its units, and texts that end with a zero
// byte. From the unit at p a search goes to one of 256 places around p xor its offset, and a value
// is where a text begins: no unit may lead outside, whatever the text that is looked up.
Status check_character_map(std::string_view map) {
  const auto damaged = [](const char* what, std::size_t unit) {
    return make_error(ErrorCode::kBadInput, "the map of characters %s (unit %zu)", what, unit);
  };
  if (map.empty()) return {};
  if (map.size() <= sizeof(std::uint32_t)) return damaged("is cut short", 0);
  const std::size_t trie_bytes = number_at(map, 0);
  map.remove_prefix(sizeof(std::uint32_t));
  if (trie_bytes >= map.size() || trie_bytes % sizeof(std::uint32_t) != 0 || trie_bytes == 0)
    return damaged("has a wrong size", 0);
  const std::string_view trie = map.substr(0, trie_bytes);
  const std::string_view texts = map.substr(trie_bytes);
  if (texts.back() != '\0') return damaged("has a text without an end", 0);
  const std::size_t num_units = trie_bytes / sizeof(std::uint32_t);
  for (std::size_t p = 0; p < num_units; ++p) {
    const std::uint32_t unit = number_at(trie, p);
    // A value, where no search goes on. It begins at the first unit, whatever that is.
    if (p > 0 && (unit >> 31U) != 0) continue;
    const std::size_t offset = std::size_t{unit >> 10U} << ((unit & 1U << 9U) >> 6U);
    const std::size_t next = p ^ offset;
    if ((next | 0xFFU) >= num_units) return damaged("leads outside", p);
    const bool has_value = (unit >> 8U & 1U) != 0;
    if (has_value && (number_at(trie, next) & 0x7FFFFFFFU) >= texts.size())
      return damaged("names a text outside", p);
  }
  return {};
}

Status read_normaliser(std::string_view file, std::string_view message, PieceFile& out) {
  return read_fields(file, message, [&](const Field& field) -> Status {
    if (field.number == 2 && field.wire == Wire::kBytes) {
      out.character_map = field.bytes;
      return check_character_map(field.bytes);
    }
    if (field.wire != Wire::kVarint) return {};
    if (field.number == 3) out.adds_space = field.value != 0;
    if (field.number == 4) out.removes_spaces = field.value != 0;
    if (field.number == 5) out.escapes_spaces = field.value != 0;
    return {};
  });
}

}  // namespace

Result<PieceFile> read_piece_file(std::string_view bytes) {
  PieceFile out;
  PieceFile after;  // of the rules for the way back, which are checked alone
  BANKAI_RETURN_IF_ERROR(read_fields(bytes, bytes, [&](const Field& field) -> Status {
    if (field.wire != Wire::kBytes) return {};
    switch (field.number) {
      case 1: return read_piece(bytes, field.bytes, out);
      case 2: return read_trainer(bytes, field.bytes, out);
      case 3: return read_normaliser(bytes, field.bytes, out);
      case 5: return read_normaliser(bytes, field.bytes, after);
      default: return {};
    }
  }));
  if (out.pieces.empty())
    return make_error(ErrorCode::kBadInput, "no SentencePiece vocabulary: it has no pieces");
  return out;
}

}  // namespace bankai::model
