// SPDX-License-Identifier: Apache-2.0
// string.find, match, gmatch and gsub with the patterns of Lua 5.1 (its manual, 5.4.1), for scripts
// of strangers. Lua's own follow a pattern as deep as the processor's stack goes and beyond, and as
// long as it takes, which may be years: here both are bounded. Otherwise they answer the same.
#pragma once

#include "server/lua/lua_state.h"

namespace kvorum::server {

// More levels are an error: "pattern too complex".
inline constexpr int kPatternLevelsMax = 200;

// Into the table on top, in place of those that are there.
void install_patterns(lua_State* state);

}  // namespace kvorum::server
