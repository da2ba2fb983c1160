// How every program prints JSON: one object per line on standard output.
#pragma once

#include <iostream>

namespace bankai::cli {

// `object` is one of nlohmann's; bytes in it that are not UTF-8 become U+FFFD.
template <typename Json>
void print_json_line(const Json& object) {
  std::cout << object.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace bankai::cli
