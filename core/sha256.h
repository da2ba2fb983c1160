// SHA-256, by OpenSSL: content hashes of weights, of files and of search configurations.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace bankai {

using Sha256Digest = std::array<std::byte, 32>;

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) {
    update(std::as_bytes(std::span<const char>(text.data(), text.size())));
  }
  void update_u64(std::uint64_t value);  // as 8 little-endian bytes

  // The digest of all updates; the object must not be used after it.
  Sha256Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string to_hex(std::span<const std::byte> bytes);
// False unless `text` is exactly 2 × bytes.size() hexadecimal digits.
bool from_hex(std::string_view text, std::span<std::byte> bytes);

}  // namespace bankai
