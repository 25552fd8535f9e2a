// SPDX-License-Identifier: Apache-2.0
// memcached's binary protocol, as far as it is spoken: not at all. A connection whose first byte is
// its magic is answered in it, once, with a refusal that clients of it can read. Pure.
#pragma once

#include <string>
#include <string_view>

namespace kvorum::protocol {

// Of the first byte of a connection; no command of the text protocol begins with it.
inline constexpr char kMemcachedBinaryMagic = '\x80';

// The response "unknown command" to the request whose header `input` begins with; what has not
// arrived of it counts as zero.
std::string refuse_memcached_binary(std::string_view input);

}  // namespace kvorum::protocol
