// SPDX-License-Identifier: Apache-2.0
// A reply that is written already, as Lua sees it: bytes of RESP2 or RESP3 that a handler of this
// process made (Reply::preformatted), never those of a client. Attributes are passed over, as by
// Redis.
#pragma once

#include <string_view>

#include "server/lua/lua_state.h"

namespace kvorum::server {

// Pushes the value in front of `bytes`, and takes it from them. REQUIRES: it is a whole reply.
void push_written(lua_State* state, std::string_view* bytes);

}  // namespace kvorum::server
