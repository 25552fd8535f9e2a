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

void write_frame_head(const Reply& frame, std::string& out) {
  append_binary_head(
      {read_echo(frame.key()), frame.status(), frame.cas(), frame.flags(), frame.text()}, out);
}

void write_frame(const Reply& frame, std::string& out) {
  write_frame_head(frame, out);
  make_large_room(out, frame.text().size());
  out.append(frame.text());
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

Reply Reply::frame(std::string_view echo, MemcachedStatus status, std::string_view bytes) {
  Reply reply(Kind::kFrame, bytes);
  reply.set_key(echo, 0);
  reply.detail_ = static_cast<uint8_t>(status);
  return reply;
}

Reply Reply::frame_owned(std::string_view echo, MemcachedStatus status, std::string bytes) {
  Reply reply(Kind::kFrame, std::move(bytes));
  reply.set_key(echo, 0);
  reply.detail_ = static_cast<uint8_t>(status);
  return reply;
}

Reply Reply::meta_item(std::string line, std::string_view bytes) {
  Reply reply(Kind::kMetaItem, std::move(line));
  reply.key_ = bytes.data();
  reply.number_ = static_cast<int64_t>(bytes.size());
  return reply;
}

Reply&& Reply::with_flags(uint32_t flags) && {
  flags_ = flags;
  return std::move(*this);
}

Reply&& Reply::with_cas(uint64_t cas) && {
  number_ = static_cast<int64_t>(cas);
  if (kind_ == Kind::kValueItem) detail_ = 1;
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

std::string_view Reply::body() const {
  return kind_ == Kind::kMetaItem ? std::string_view(key_, static_cast<size_t>(number_)) : text();
}

const std::vector<Reply>& Reply::items() const {
  const auto* items = std::get_if<std::vector<Reply>>(&payload_);
  return items ? *items : kNoItems;
}

void write_resp(const Reply& reply, RespVersion version, std::string& out) {
  switch (reply.kind()) {
    case Reply::Kind::kNone:
    case Reply::Kind::kFollowUp:
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
    case Reply::Kind::kFrame:
    case Reply::Kind::kMetaItem:
      return append_bulk(out, reply.body());
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
  if (reply.kind() == Reply::Kind::kFrame) {
    write_frame_head(reply, before);
    return true;
  }
  if (reply.kind() == Reply::Kind::kMetaItem) {
    write_line(reply.text(), before);
  } else if (reply.kind() == Reply::Kind::kValueItem) {
    write_value_head(reply, before);
  } else {
    return false;
  }
  after.append("\r\n", 2);
  return true;
}

void write_memcached(const Reply& reply, std::string& out) {
  switch (reply.kind()) {
    case Reply::Kind::kNone:
    case Reply::Kind::kFollowUp:
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
    case Reply::Kind::kFrame:
      return write_frame(reply, out);
    case Reply::Kind::kMetaItem:
      write_line(reply.text(), out);
      make_large_room(out, reply.body().size() + 2);
      out.append(reply.body()).append("\r\n", 2);
      return;
  }
}

}  // namespace kvorum::protocol
