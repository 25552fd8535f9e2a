// SPDX-License-Identifier: Apache-2.0
#include "protocol/reply.h"

#include <limits>

#include "base/check.h"
#include "base/large_memory.h"

namespace kvorum::protocol {
namespace {

const std::vector<Reply> kNoItems;

void write_all_resp(const std::vector<Reply>& items, RespVersion version, std::string& out) {
  for (const Reply& item : items) write_resp(item, version, out);
}

void write_line(std::string_view text, std::string& out) {
  append_one_line(out, text);
  out.append("\r\n", 2);
}

void write_memcached_error(std::string_view text, std::string& out) {
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.remove_suffix(1);
  const bool own = text == "ERROR" || text.starts_with("ERROR ") ||
                   text.starts_with("CLIENT_ERROR ") || text.starts_with("SERVER_ERROR ");
  if (!own) out.append("SERVER_ERROR ");
  write_line(text, out);
}

void write_value_head(const Reply& item, std::string& out) {
  out.append("VALUE ").append(item.key()).push_back(' ');
  append_uint64(out, item.flags());
  out.push_back(' ');
  append_uint64(out, item.text().size());
  if (item.has_cas()) {
    out.push_back(' ');
    append_uint64(out, item.cas());
  }
  out.append("\r\n", 2);
}

void write_value_item(const Reply& item, std::string& out) {
  write_value_head(item, out);
  make_large_room(out, item.text().size() + 2);
  out.append(item.text()).append("\r\n", 2);
}

}  // namespace

Reply Reply::map(std::vector<Reply> flat) {
  KVORUM_CHECK(flat.size() % 2 == 0);
  return {Kind::kMap, std::move(flat)};
}

Reply Reply::value_item(std::string_view key, uint32_t flags, std::string_view bytes) {
  Reply reply(Kind::kValueItem, bytes);
  reply.set_key(key, flags);
  return reply;
}

Reply&& Reply::with_cas(uint64_t cas) && {
  number_ = static_cast<int64_t>(cas);
  has_cas_ = true;
  return std::move(*this);
}

void Reply::set_key(std::string_view key, uint32_t flags) {
  KVORUM_CHECK(key.size() <= std::numeric_limits<uint16_t>::max());
  key_ = key.data();
  key_size_ = static_cast<uint16_t>(key.size());
  flags_ = flags;
}

std::string_view Reply::text() const {
  if (const auto* borrowed = std::get_if<std::string_view>(&payload_)) return *borrowed;
  if (const auto* owned = std::get_if<std::string>(&payload_)) return *owned;
  return {};
}

const std::vector<Reply>& Reply::items() const {
  const auto* items = std::get_if<std::vector<Reply>>(&payload_);
  return items ? *items : kNoItems;
}

void write_resp(const Reply& reply, RespVersion version, std::string& out) {
  switch (reply.kind()) {
    case Reply::Kind::kNone:
      return;
    case Reply::Kind::kSimple:
    case Reply::Kind::kLine:
      return append_simple(out, reply.text());
    case Reply::Kind::kError:
      return append_error(out, reply.text());
    case Reply::Kind::kInteger:
      return append_integer(out, reply.number());
    case Reply::Kind::kBulk:
    case Reply::Kind::kValueItem:
      return append_bulk(out, reply.text());
    case Reply::Kind::kNil:
      return append_nil(out, version);
    case Reply::Kind::kArray:
      append_array_header(out, reply.items().size());
      return write_all_resp(reply.items(), version, out);
    case Reply::Kind::kMap:
      append_map_header(out, version, reply.items().size() / 2);
      return write_all_resp(reply.items(), version, out);
    case Reply::Kind::kSet:
      append_set_header(out, version, reply.items().size());
      return write_all_resp(reply.items(), version, out);
    case Reply::Kind::kVerbatim:
      return append_verbatim(out, version, reply.text());
    case Reply::Kind::kPreformatted:
      out.append(reply.text());
      return;
  }
}

bool write_resp_around(const Reply& reply, std::string& before, std::string& after) {
  if (reply.kind() != Reply::Kind::kBulk && reply.kind() != Reply::Kind::kValueItem) return false;
  append_bulk_head(before, reply.text().size());
  after.append("\r\n", 2);
  return true;
}

bool write_memcached_around(const Reply& reply, std::string& before, std::string& after) {
  if (reply.kind() != Reply::Kind::kValueItem) return false;
  write_value_head(reply, before);
  after.append("\r\n", 2);
  return true;
}

void write_memcached(const Reply& reply, std::string& out) {
  switch (reply.kind()) {
    case Reply::Kind::kNone:
      return;
    case Reply::Kind::kSimple:
    case Reply::Kind::kLine:
      return write_line(reply.text(), out);
    case Reply::Kind::kError:
      return write_memcached_error(reply.text(), out);
    case Reply::Kind::kInteger:
      append_int64(out, reply.number());
      out.append("\r\n", 2);
      return;
    case Reply::Kind::kBulk:
    case Reply::Kind::kVerbatim:
      out.append(reply.text()).append("\r\n", 2);
      return;
    case Reply::Kind::kNil:
      return write_line("NOT_FOUND", out);
    case Reply::Kind::kArray:
    case Reply::Kind::kMap:
    case Reply::Kind::kSet:
      for (const Reply& item : reply.items()) write_memcached(item, out);
      return;
    case Reply::Kind::kPreformatted:
      out.append(reply.text());
      return;
    case Reply::Kind::kValueItem:
      return write_value_item(reply, out);
  }
}

}  // namespace kvorum::protocol
