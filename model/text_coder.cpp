#include "model/text_coder.h"

#include "core/format.h"

namespace bankai::model {

Result<std::array<TokenId, 256>> find_byte_tokens(
    const std::function<TokenId(std::uint8_t byte)>& find, TokenId unknown) {
  std::array<TokenId, 256> tokens;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const TokenId token = find(static_cast<std::uint8_t>(byte));
    if (token == kNoToken && unknown == kNoToken)
      return make_error(ErrorCode::kBadInput,
                        "tokenizer.ggml.tokens has no token for byte 0x%02x, and the file names no "
                        "unknown token",
                        byte);
    tokens[byte] = token == kNoToken ? unknown : token;
  }
  return tokens;
}

}  // namespace bankai::model
