// SPDX-License-Identifier: Apache-2.0
#include "protocol/resp_writer.h"

#include <charconv>
#include <cstring>

#include "base/large_memory.h"

namespace kvorum::protocol {
namespace {

constexpr size_t kBulkFrameBytes = kIntegerTextMax + 3 + 2;

// Marker, number and line end, written in one append.
template <class Integer>
void append_header(std::string& out, char marker, Integer value) {
  char text[kIntegerTextMax + 3];
  text[0] = marker;
  char* end = std::to_chars(text + 1, text + 1 + kIntegerTextMax, value).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(text, static_cast<size_t>(end - text));
}

}  // namespace

void append_one_line(std::string& out, std::string_view text) {
  const size_t from = out.size();
  out.append(text);
  for (size_t at = from; at < out.size(); ++at) {
    if (out[at] == '\r' || out[at] == '\n') out[at] = ' ';
  }
}

void append_simple(std::string& out, std::string_view text) {
  if (text == "OK") {  // nearly all
    out.append("+OK\r\n", 5);
    return;
  }
  out.push_back('+');
  append_one_line(out, text);
  out.append("\r\n", 2);
}

void append_error(std::string& out, std::string_view text) {
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  out.push_back('-');
  append_one_line(out, text);
  out.append("\r\n", 2);
}

void append_integer(std::string& out, int64_t value) { append_header(out, ':', value); }

void append_bulk(std::string& out, std::string_view bytes) {
  make_large_room(out, bytes.size() + kBulkFrameBytes);
  append_header(out, '$', bytes.size());
  out.append(bytes);
  out.append("\r\n", 2);
}

void append_bulk_head(std::string& out, size_t size) { append_header(out, '$', size); }

void append_nil(std::string& out, RespVersion version) {
  out.append(version == RespVersion::k3 ? "_\r\n" : "$-1\r\n");
}

void append_verbatim(std::string& out, RespVersion version, std::string_view text) {
  if (version == RespVersion::k2) {
    append_bulk(out, text);
    return;
  }
  constexpr std::string_view kFormat = "txt:";
  append_header(out, '=', kFormat.size() + text.size());
  out.append(kFormat).append(text).append("\r\n", 2);
}

void append_array_header(std::string& out, size_t size) { append_header(out, '*', size); }

void append_map_header(std::string& out, RespVersion version, size_t pairs) {
  if (version == RespVersion::k3) {
    append_header(out, '%', pairs);
  } else {
    append_array_header(out, pairs * 2);
  }
}

void append_set_header(std::string& out, RespVersion version, size_t size) {
  append_header(out, version == RespVersion::k3 ? '~' : '*', size);
}

void append_push_header(std::string& out, RespVersion version, size_t size) {
  append_header(out, version == RespVersion::k3 ? '>' : '*', size);
}

}  // namespace kvorum::protocol
