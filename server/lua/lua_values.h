// SPDX-License-Identifier: Apache-2.0
// Between Lua's values and those of the protocol, as Redis converts them: what redis.call() gives a
// script, and what a script answers.
#pragma once

#include <string>
#include <string_view>

#include "protocol/reply.h"
#include "server/lua/lua_state.h"

namespace kvorum::server {

// Pushes what redis.call() returns. In RESP2 nil is false, and a map is an array; after
// redis.setresp(3) they are nil and {map = {...}}. An error is {err = "CODE text"}.
void push_reply(lua_State* state, const protocol::Reply& reply, protocol::RespVersion version);

// Pushes {err = text}; `text` begins with its code.
void push_error(lua_State* state, std::string_view text);

struct ResultShape {
  protocol::RespVersion client;  // how the answer is written
  protocol::RespVersion script;  // as redis.setresp() left it: true is a number before 3
  size_t bytes_max = SIZE_MAX;
  size_t values_max = SIZE_MAX;  // of all levels: tables may be shared, and so be many
};
// Appends the value at this index as RESP. A table is an array up to its first nil, or what its
// field `ok`, `err`, `double`, `map`, `set`, `big_number` or `verbatim_string` says; a number loses
// its fraction.
enum class Appended : uint8_t { kWhole, kTooLarge, kTooMany };
Appended append_result(lua_State* state, int index, const ResultShape& shape, std::string& out);

}  // namespace kvorum::server
