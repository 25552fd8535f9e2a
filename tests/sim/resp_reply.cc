// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/resp_reply.h"

#include <charconv>

namespace kvorum::sim {
namespace {

using Kind = RespReply::Kind;

bool parse_number(std::string_view text, int64_t* number) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && rest == text.data() + text.size();
}

size_t parse_bulk(std::string_view bytes, size_t head, RespReply* reply) {
  if (reply->number < 0) {
    reply->kind = Kind::kNull;
    return head;
  }
  reply->kind = Kind::kBulk;
  const auto size = static_cast<size_t>(reply->number);
  if (bytes.size() < head + size + 2) return 0;
  if (bytes.substr(head + size, 2) != "\r\n") return kNoReply;
  reply->text = bytes.substr(head, size);
  return head + size + 2;
}

size_t parse_array(std::string_view bytes, size_t head, RespReply* reply) {
  if (reply->number < 0) {
    reply->kind = Kind::kNull;
    return head;
  }
  reply->kind = Kind::kArray;
  size_t taken = head;
  for (int64_t item = 0; item < reply->number; ++item) {
    const size_t size = parse_reply(bytes.substr(taken), &reply->items.emplace_back());
    if (size == 0 || size == kNoReply) return size;
    taken += size;
  }
  return taken;
}

}  // namespace

int64_t RespReply::field(std::string_view name) const {
  for (size_t at = 0; at + 1 < items.size(); at += 2) {
    if (items[at].text == name) return items[at + 1].number;
  }
  return -1;
}

size_t parse_reply(std::string_view bytes, RespReply* reply) {
  const size_t line_end = bytes.find("\r\n");
  if (line_end == std::string_view::npos) return 0;
  *reply = {};
  const size_t head = line_end + 2;
  const std::string_view line = bytes.substr(1, line_end - 1);
  switch (bytes[0]) {
    case '+':
      reply->kind = Kind::kStatus;
      reply->text = line;
      return head;
    case '-':
      reply->kind = Kind::kError;
      reply->text = line;
      return head;
    case ':':
      reply->kind = Kind::kInteger;
      return parse_number(line, &reply->number) ? head : kNoReply;
    case '$':
      return parse_number(line, &reply->number) ? parse_bulk(bytes, head, reply) : kNoReply;
    case '*':
      return parse_number(line, &reply->number) ? parse_array(bytes, head, reply) : kNoReply;
    default:
      return kNoReply;
  }
}

std::string encode_command(const std::vector<std::string>& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return bytes;
}

}  // namespace kvorum::sim
