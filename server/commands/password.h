// SPDX-License-Identifier: Apache-2.0
// The password of AUTH, HELLO AUTH and of memcached's ASCII authentication.
#pragma once

#include <string_view>

namespace kvorum::server {

inline constexpr std::string_view kDefaultUser = "default";

// Takes the same time wherever the two differ.
inline bool same_password(std::string_view given, std::string_view expected) {
  unsigned char difference = given.size() == expected.size() ? 0 : 1;
  for (size_t i = 0; i < given.size() && !expected.empty(); ++i) {
    difference |= static_cast<unsigned char>(given[i] ^ expected[i % expected.size()]);
  }
  return difference == 0;
}

}  // namespace kvorum::server
