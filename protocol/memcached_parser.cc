// SPDX-License-Identifier: Apache-2.0
#include "protocol/memcached_parser.h"

#include <algorithm>
#include <cstring>

#include "protocol/memcached_line.h"

namespace kvorum::protocol {
namespace {

// A meta command's key may come in base64, and its flags are words.
uint64_t stored_bytes(const MemcachedRequest& request, uint64_t value_bytes) {
  const std::string_view key = request.key();
  size_t key_bytes = key.size();
  uint32_t flags = request.flags;
  const bool meta = request.command == MemcachedCommand::kMetaSet;
  for (size_t i = 3; meta && i < request.words.size(); ++i) {
    const std::string_view word = request.words[i];
    if (word == "b") key_bytes = key.substr(0, key.find('=')).size() * 3 / 4;
    if (word.starts_with('F') && word.find_first_not_of('0', 1) != word.npos) flags = 1;
  }
  return item_bytes(key_bytes, flags, value_bytes);
}

// Leading blanks are as many as memcached itself looks past when it asks what a long line is.
constexpr size_t kLeadingBlanksMax = 100;

bool names_keys(std::string_view line) {
  size_t blanks = 0;
  while (blanks < line.size() && line[blanks] == ' ') ++blanks;
  if (blanks > kLeadingBlanksMax) return false;
  line.remove_prefix(blanks);
  return line.starts_with("get ") || line.starts_with("gets ") || line.starts_with("gat ") ||
         line.starts_with("gats ");
}

bool line_may_be_longer(std::string_view line) {
  return line.size() <= kMemcachedLineBytesMax ||
         (line.size() <= kMemcachedKeysLineBytesMax && names_keys(line));
}

}  // namespace

ParseResult MemcachedParser::parse(std::string_view input, MemcachedRequest& request) {
  return parse_behind_refused(swallowing_, input,
                              [&](std::string_view rest) { return parse_request(rest, request); });
}

ParseResult MemcachedParser::parse_request(std::string_view input, MemcachedRequest& request) {
  if (input.size() < needed_) {
    return {ParseStatus::kNeedMore, 0, {}, static_cast<size_t>(needed_ - input.size())};
  }
  // With a line known to be there (needed_ > 0) scanned_ stands before its end.
  const size_t from = std::min(scanned_, input.size());
  const void* found =
      input.size() > from ? std::memchr(input.data() + from, '\n', input.size() - from) : nullptr;
  if (found == nullptr) return line_missing(input);
  size_t line_end = static_cast<size_t>(static_cast<const char*>(found) - input.data());
  const size_t line_size = line_end + 1;
  if (!line_may_be_longer(input.substr(0, line_end))) {
    return {ParseStatus::kError, 0, kMemcachedLineTooLong, 0};
  }
  scanned_ = line_end;
  if (line_end > 1 && input[line_end - 1] == '\r') --line_end;
  const MemcachedLine line =
      read_memcached_line(input.substr(0, line_end), limits_.key_bytes_max, request);
  if (line.close) return {ParseStatus::kError, 0, {}, 0};
  if (line.has_value) return take_value(input, line_size, line.value_bytes, request);
  scanned_ = 0;
  return {ParseStatus::kRequest, line_size, {}, 0};
}

ParseResult MemcachedParser::line_missing(std::string_view input) {
  if (!line_may_be_longer(input)) return {ParseStatus::kError, 0, kMemcachedLineTooLong, 0};
  scanned_ = input.size();
  return {ParseStatus::kNeedMore, 0, {}, 1};
}

// memcached takes value and line end in one piece: if the last two bytes are not CR LF, that much
// is dropped and the next command begins behind it.
ParseResult MemcachedParser::take_value(std::string_view input, size_t line_size, uint64_t bytes,
                                        MemcachedRequest& request) {
  const bool unknown_client = !authenticated_ && bytes > kMemcachedUnauthenticatedValueBytesMax;
  const bool too_large =
      bytes > limits_.value_bytes_max || stored_bytes(request, bytes) > limits_.item_bytes_max;
  if (unknown_client || too_large) {
    request.error = unknown_client ? kMemcachedUnauthenticated : kMemcachedTooLarge;
    swallowing_ = bytes + 2;
    scanned_ = 0;
    return {ParseStatus::kRequest, line_size, {}, 0};
  }
  const uint64_t whole = line_size + bytes + 2;
  if (input.size() < whole) {
    needed_ = whole;
    return {ParseStatus::kNeedMore, 0, {}, static_cast<size_t>(whole - input.size())};
  }
  needed_ = 0;
  scanned_ = 0;
  request.value = input.substr(line_size, bytes);
  const std::string_view end = input.substr(line_size + bytes, 2);
  if (end != "\r\n") request.error = kMemcachedBadChunk;
  return {ParseStatus::kRequest, static_cast<size_t>(whole), {}, 0};
}

}  // namespace kvorum::protocol
