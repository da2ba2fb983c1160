#include <cstdio>

#include "core/sha256.h"
#include "core/version.h"

int main() {
  bankai::Sha256 hash;
  hash.update("abc");
  std::printf("bankai %s %s\n", bankai::version_string(), bankai::to_hex(hash.finish()).c_str());
}
