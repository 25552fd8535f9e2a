// SPDX-License-Identifier: Apache-2.0
// The versions that commands show: what clients of Redis and memcached may expect, and our own.
#pragma once

#include <string_view>

namespace kvorum::server {

inline constexpr std::string_view kKvorumVersion = "0.1.0";
inline constexpr std::string_view kRedisVersion = "7.2.0";
inline constexpr std::string_view kMemcachedVersion = "1.6.27";

}  // namespace kvorum::server
