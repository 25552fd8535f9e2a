// SPDX-License-Identifier: Apache-2.0
// SHA-1 as names of scripts: 40 lower case hexadecimal digits. Not for secrets.
#pragma once

#include <string>
#include <string_view>

namespace kvorum::server {

inline constexpr size_t kShaDigits = 40;

std::string sha1_hex(std::string_view bytes);

}  // namespace kvorum::server
