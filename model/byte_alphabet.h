// The byte alphabet of GPT-2: 256 printable characters, one for each byte, in which vocabularies
// of byte-level BPE spell their tokens. The printable characters of Latin-1 (33–126, 161–172,
// 174–255) stand for themselves; the 68 other bytes, in order, are U+0100, U+0101, …
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bankai::model {

// Appends the alphabet's spelling (UTF-8) of `bytes` to `text`.
void append_alphabet_text(std::string_view bytes, std::string& text);

// The bytes that `text` spells; nothing if it has a character from outside the alphabet.
std::optional<std::string> bytes_of_alphabet_text(std::string_view text);

}  // namespace bankai::model
