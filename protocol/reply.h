// SPDX-License-Identifier: Apache-2.0
// The value that a command's handler returns and that a dialect writes: a handler never sees which
// protocol its session speaks, nor a socket. 64 bytes; making an OK, an integer, an error or a bulk
// string that borrows its bytes allocates nothing.
//
// Borrowed text (every maker that takes a string_view) must live until the reply is written; owned
// text and nested replies belong to the Reply. A plain value: copyable, one thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/memcached_frame.h"
#include "protocol/resp_writer.h"

namespace kvorum::protocol {

class Reply {
 public:
  enum class Kind : uint8_t {
    kNone,          // nothing is written (noreply)
    kSimple,        // "+text", or a line
    kError,         // "-CODE text"
    kInteger,       //
    kBulk,          //
    kNil,           //
    kArray,         //
    kMap,           // keys and values in turn
    kSet,           //
    kVerbatim,      // plain text for people
    kPreformatted,  // bytes of the session's own dialect, written as they are
    kLine,          // memcached: text and a line end
    kValueItem,     // memcached: "VALUE key flags size [cas]", then the bytes
    kFrame,         // memcached's binary protocol: a header, then the bytes
    kMetaItem,      // memcached's meta commands: a line, then the bytes and a line end
    kFollowUp,      // none yet: an edit of the key that was read comes first
  };

  Reply() = default;  // kNone
  Reply(const Reply&) = default;
  Reply(Reply&&) = default;
  Reply& operator=(const Reply&) = default;
  Reply& operator=(Reply&& other) noexcept;

  static Reply none() { return {}; }
  static Reply ok() { return {Kind::kSimple, std::string_view("OK")}; }
  static Reply simple(std::string_view text) { return {Kind::kSimple, text}; }
  static Reply simple_owned(std::string text) { return {Kind::kSimple, std::move(text)}; }
  // The text starts with its code: "ERR syntax error".
  static Reply error(std::string_view text) { return {Kind::kError, text}; }
  static Reply error_owned(std::string text) { return {Kind::kError, std::move(text)}; }
  static Reply integer(int64_t value) { return {Kind::kInteger, value}; }
  static Reply bulk(std::string_view bytes) { return {Kind::kBulk, bytes}; }
  static Reply bulk_owned(std::string bytes) { return {Kind::kBulk, std::move(bytes)}; }
  static Reply nil() { return Reply(Kind::kNil); }
  static Reply array(std::vector<Reply> items) { return {Kind::kArray, std::move(items)}; }
  // `flat` holds key, value, key, value ...
  static Reply map(std::vector<Reply> flat);
  static Reply set(std::vector<Reply> items) { return {Kind::kSet, std::move(items)}; }
  static Reply verbatim_owned(std::string text) { return {Kind::kVerbatim, std::move(text)}; }
  static Reply preformatted(std::string_view bytes) { return {Kind::kPreformatted, bytes}; }
  static Reply preformatted_owned(std::string bytes) {
    return {Kind::kPreformatted, std::move(bytes)};
  }

  // memcached. The key is always borrowed (from the request) and shorter than 64 KiB.
  static Reply line(std::string_view text) { return {Kind::kLine, text}; }
  static Reply line_owned(std::string text) { return {Kind::kLine, std::move(text)}; }
  static Reply value_item(std::string_view key, uint32_t flags, std::string_view bytes);
  // A frame that answers the request of which append_echo() made `echo`, which is borrowed too.
  static Reply frame(std::string_view echo, MemcachedStatus status, std::string_view bytes);
  static Reply frame_owned(std::string_view echo, MemcachedStatus status, std::string bytes);
  // One that says no: with the status's own text.
  static Reply refusal(std::string_view echo, MemcachedStatus status) {
    return frame(echo, status, text_of(status));
  }
  // A line without its end, and the value behind it, which is borrowed.
  static Reply meta_item(std::string line, std::string_view bytes);
  // Of a read that turns out to need an edit: its code and argument. The edit's completion is given
  // to the same finish function. The plan keeps the key.
  static Reply follow_up(uint8_t edit, std::string argument) {
    Reply reply(Kind::kFollowUp, std::move(argument));
    reply.number_ = edit;
    return reply;
  }
  Reply&& with_flags(uint32_t flags) &&;
  // `gets` and `gats` show the cas unique too.
  Reply&& with_cas(uint64_t cas) &&;

  Kind kind() const { return kind_; }
  bool is_error() const { return kind_ == Kind::kError; }
  std::string_view text() const;              // of every kind with text; else empty
  std::string_view body() const;              // the value of kMetaItem; of other kinds the text
  const std::vector<Reply>& items() const;    // of the kinds with items; else empty
  int64_t number() const { return number_; }  // of kInteger; the code of kFollowUp
  std::string_view key() const { return {key_, key_size_}; }  // of a frame: the echo
  uint32_t flags() const { return flags_; }
  bool has_cas() const { return detail_ != 0; }
  MemcachedStatus status() const { return static_cast<MemcachedStatus>(detail_); }  // of kFrame
  uint64_t cas() const { return static_cast<uint64_t>(number_); }

 private:
  // One constructor per payload: replacing the alternative of a default payload costs more, and gcc
  // 12 takes the old one for uninitialised.
  explicit Reply(Kind kind) : kind_(kind) {}
  Reply(Kind kind, int64_t number) : kind_(kind), number_(number) {}
  Reply(Kind kind, std::string_view text)
      : kind_(kind), payload_(std::in_place_type<std::string_view>, text) {}
  Reply(Kind kind, std::string&& text)
      : kind_(kind), payload_(std::in_place_type<std::string>, std::move(text)) {}
  Reply(Kind kind, std::vector<Reply>&& items)
      : kind_(kind), payload_(std::in_place_type<std::vector<Reply>>, std::move(items)) {}
  void set_key(std::string_view key, uint32_t flags);

  Kind kind_ = Kind::kNone;
  uint8_t detail_ = 0;  // of a value item 1: it has a cas unique; of a frame its status
  uint16_t key_size_ = 0;
  uint32_t flags_ = 0;
  int64_t number_ = 0;         // the integer, or the cas unique
  const char* key_ = nullptr;  // or the echo, or the value of kMetaItem, whose size is number_
  std::variant<std::string_view, std::string, std::vector<Reply>> payload_;
};

static_assert(sizeof(Reply) <= 64);

// Nearly always a borrowed text replaces another: nothing has to be freed or moved.
inline Reply& Reply::operator=(Reply&& other) noexcept {
  kind_ = other.kind_;
  detail_ = other.detail_;
  key_size_ = other.key_size_;
  flags_ = other.flags_;
  number_ = other.number_;
  key_ = other.key_;
  auto* const borrowed = std::get_if<std::string_view>(&payload_);
  const auto* const others = std::get_if<std::string_view>(&other.payload_);
  if (borrowed != nullptr && others != nullptr) {
    *borrowed = *others;
  } else {
    payload_ = std::move(other.payload_);
  }
  return *this;
}

// Nothing but a Reply's own texts is ever written: simple strings, errors and lines stay one line.
void write_resp(const Reply& reply, RespVersion version, std::string& out);

// What stands before and behind the text of a bulk string or a value item, for texts that are not
// copied. False for other kinds: nothing is written.
bool write_resp_around(const Reply& reply, std::string& before, std::string& after);
bool write_memcached_around(const Reply& reply, std::string& before, std::string& after);

// Items of arrays are written one after the other. An error that is not memcached's own ("ERROR",
// "CLIENT_ERROR ...", "SERVER_ERROR ...") becomes a SERVER_ERROR with its text.
void write_memcached(const Reply& reply, std::string& out);

}  // namespace kvorum::protocol
