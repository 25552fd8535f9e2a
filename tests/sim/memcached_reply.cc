// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/memcached_reply.h"

#include <sstream>

namespace kvorum::sim {
namespace {

// `VALUE key flags bytes cas`: takes it and its data. 0 where they are not whole yet.
size_t parse_value(std::string_view bytes, size_t line_end, RespReply* reply) {
  std::istringstream words{std::string(bytes.substr(0, line_end))};
  std::string word, key;
  size_t flags = 0, size = 0;
  uint64_t unique = 0;
  if (!(words >> word >> key >> flags >> size)) return kNoReply;
  words >> unique;
  const size_t data = line_end + 2;
  if (bytes.size() < data + size + 2) return 0;
  if (bytes.substr(data + size, 2) != "\r\n") return kNoReply;
  RespReply& value = reply->items.emplace_back();
  value.kind = RespReply::Kind::kBulk;
  value.text = bytes.substr(data, size);
  reply->number = static_cast<int64_t>(unique);
  return data + size + 2;
}

}  // namespace

size_t parse_memcached_reply(std::string_view bytes, RespReply* reply) {
  *reply = {};
  reply->kind = RespReply::Kind::kArray;
  size_t taken = 0;
  for (;;) {
    const std::string_view rest = bytes.substr(taken);
    const size_t line_end = rest.find("\r\n");
    if (line_end == std::string_view::npos) return 0;
    const std::string_view line = rest.substr(0, line_end);
    if (line == "END") return taken + line_end + 2;
    if (line.starts_with("VALUE ")) {
      const size_t size = parse_value(rest, line_end, reply);
      if (size == 0 || size == kNoReply) return size;
      taken += size;
      continue;
    }
    if (taken > 0) return kNoReply;
    const bool error = line.find("ERROR") != std::string_view::npos;
    reply->kind = error ? RespReply::Kind::kError : RespReply::Kind::kStatus;
    reply->text = line;
    return line_end + 2;
  }
}

}  // namespace kvorum::sim
