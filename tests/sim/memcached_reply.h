// SPDX-License-Identifier: Apache-2.0
// A reply of the memcached text protocol, as a client parses it, in the shape of a RespReply: of
// `gets` an array of the values, its number their cas unique; of all else a status line, or an
// error (ERROR, CLIENT_ERROR, SERVER_ERROR).
#pragma once

#include "protocol/resp_reply.h"

namespace kvorum::sim {

using protocol::kNoReply;
using protocol::parse_reply;
using protocol::RespReply;

// As parse_reply().
size_t parse_memcached_reply(std::string_view bytes, RespReply* reply);

}  // namespace kvorum::sim
