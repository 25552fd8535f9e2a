// SPDX-License-Identifier: Apache-2.0
#include "protocol/resp_reply.h"

#include <charconv>

namespace kvorum::protocol {
namespace {

using Kind = RespReply::Kind;
using Status = ReplyExtent::Status;

constexpr ReplyExtent kMore{Status::kNeedMore, 0, Kind::kNull};
constexpr ReplyExtent kBroken{Status::kBroken, 0, Kind::kNull};
constexpr std::string_view kLineEnd = "\r\n";

bool read_number(std::string_view text, int64_t* number) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && rest == text.data() + text.size();
}

ReplyExtent whole(Kind kind, size_t size, RespReply* reply) {
  if (reply != nullptr) reply->kind = kind;
  return {Status::kWhole, size, kind};
}

ReplyExtent walk(std::string_view bytes, int nesting, RespReply* reply);

ReplyExtent walk_bulk(std::string_view bytes, size_t head, size_t length, RespReply* reply) {
  if (bytes.size() - head < length + kLineEnd.size()) return kMore;
  if (bytes.substr(head + length, kLineEnd.size()) != kLineEnd) return kBroken;
  if (reply != nullptr) reply->text = bytes.substr(head, length);
  return whole(Kind::kBulk, head + length + kLineEnd.size(), reply);
}

// `bytes` begins at the first of the items.
ReplyExtent walk_items(std::string_view bytes, int64_t count, int nesting, RespReply* reply) {
  if (nesting == kReplyNestingMax) return kBroken;
  size_t size = 0;
  for (int64_t i = 0; i < count; ++i) {
    RespReply* const item = reply == nullptr ? nullptr : &reply->items.emplace_back();
    const ReplyExtent extent = walk(bytes.substr(size), nesting + 1, item);
    if (extent.status != Status::kWhole) return extent;
    size += extent.size;
  }
  return whole(Kind::kArray, size, reply);
}

// Fills `reply` where there is one.
ReplyExtent walk(std::string_view bytes, int nesting, RespReply* reply) {
  constexpr std::string_view kTypes = "+-:$*";
  if (bytes.empty()) return kMore;
  const char type = bytes.front();
  if (kTypes.find(type) == kTypes.npos) return kBroken;
  const size_t line_end = bytes.find(kLineEnd);
  if (line_end == bytes.npos) return kMore;
  const size_t head = line_end + kLineEnd.size();
  const std::string_view line = bytes.substr(1, line_end - 1);
  if (type == '+' || type == '-') {
    if (reply != nullptr) reply->text = line;
    return whole(type == '+' ? Kind::kStatus : Kind::kError, head, reply);
  }
  int64_t number = 0;
  if (!read_number(line, &number)) return kBroken;
  if (type == ':') {
    if (reply != nullptr) reply->number = number;
    return whole(Kind::kInteger, head, reply);
  }
  if (number < -1) return kBroken;
  if (number == -1) return whole(Kind::kNull, head, reply);
  if (type == '$') return walk_bulk(bytes, head, static_cast<size_t>(number), reply);
  ReplyExtent array = walk_items(bytes.substr(head), number, nesting, reply);
  if (array.status == Status::kWhole) array.size += head;
  return array;
}

}  // namespace

int64_t RespReply::field(std::string_view name) const {
  for (size_t at = 0; at + 1 < items.size(); at += 2) {
    if (items[at].text == name) return items[at + 1].number;
  }
  return -1;
}

ReplyExtent measure_reply(std::string_view bytes) { return walk(bytes, 0, nullptr); }

size_t parse_reply(std::string_view bytes, RespReply* reply) {
  *reply = {};
  const ReplyExtent extent = walk(bytes, 0, reply);
  return extent.status == Status::kBroken ? kNoReply : extent.size;
}

std::string encode_command(const std::vector<std::string>& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return bytes;
}

}  // namespace kvorum::protocol
