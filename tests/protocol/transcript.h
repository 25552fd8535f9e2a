// SPDX-License-Identifier: Apache-2.0
// Drives a parser as a session does and writes down what it answers, so that a test compares two
// lists of lines. The bytes arrive in the pieces given; before every call they are copied into a
// fresh buffer of their exact size, so that a parser that keeps a view, or reads past the end, is
// caught by the address sanitizer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/memcached_parser.h"
#include "protocol/resp_parser.h"

namespace kvorum::protocol {

using Lines = std::vector<std::string>;
using Pieces = std::vector<std::string_view>;

// "request: SET|key|value", "error: Protocol error: ...", and at last "rest: 5" if bytes are left
// that are no whole request.
Lines resp_transcript(RespParser& parser, const Pieces& pieces);

// "get keys=a,b", "set k=key f=1 e=0 v=value", "line: ERROR", "close: text", "rest: 5".
Lines memcached_transcript(MemcachedParser& parser, const Pieces& pieces);

// `bytes` in pieces of `size`.
Pieces cut(std::string_view bytes, size_t size);

}  // namespace kvorum::protocol
