// SPDX-License-Identifier: Apache-2.0
// Appends RESP2 and RESP3 replies to an output buffer. Called by write_resp (protocol/reply.h) and,
// for what needs no Reply, by sessions. Where RESP2 lacks a type the writers use what Redis uses:
// maps and sets become arrays, verbatim text a bulk string. Pure functions; nothing is kept.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/number_text.h"

namespace kvorum::protocol {

enum class RespVersion : uint8_t { k2 = 2, k3 = 3 };

// "+text". Line breaks in `text` become blanks, so that it stays one line.
void append_simple(std::string& out, std::string_view text);

// "-text", where `text` begins with its code ("ERR ..."). Line breaks at the end are dropped,
// others become blanks: the text may quote what a client sent.
void append_error(std::string& out, std::string_view text);

void append_integer(std::string& out, int64_t value);
void append_bulk(std::string& out, std::string_view bytes);
// What stands before its bytes; CR LF stands behind.
void append_bulk_head(std::string& out, size_t size);
void append_nil(std::string& out, RespVersion version);
void append_verbatim(std::string& out, RespVersion version, std::string_view text);

// Headers; the elements follow. A map's are `pairs` times a key and a value.
void append_array_header(std::string& out, size_t size);
void append_map_header(std::string& out, RespVersion version, size_t pairs);
void append_set_header(std::string& out, RespVersion version, size_t size);
// Of what nobody asked for.
void append_push_header(std::string& out, RespVersion version, size_t size);

// `text` with each CR and LF as a blank; what both dialects use for a line with foreign text in it.
void append_one_line(std::string& out, std::string_view text);

}  // namespace kvorum::protocol
