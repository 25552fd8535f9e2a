// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/conversation.h"

#include <algorithm>

#include "base/check.h"
#include "server/dispatch/dispatcher.h"

namespace kvorum::server {

using protocol::ParseResult;
using protocol::ParseStatus;
using protocol::Reply;

namespace {

constexpr std::string_view kDenied =
    "DENIED Kvorum is running in protected mode because no password is set. In this mode "
    "connections are only accepted from the loopback interface. To connect from other hosts set "
    "`password` in the node's YAML file and restart it, or let it listen on a loopback address "
    "only";

}  // namespace

Conversation::Conversation(Dispatcher& dispatcher, ConversationOptions options)
    : dispatcher_(dispatcher),
      clients_(dispatcher.clients()),
      commands_(dispatcher.commands()),
      client_(clients_.in_flight()),
      refused_(options.refused_by_protected_mode) {
  SessionState& session = client_.session;
  session.dialect = options.dialect;
  session.peer_address = std::move(options.peer_address);
  session.local_address = std::move(options.local_address);
  session.authenticated = options.authenticated;
  session.started_us = session.last_active_us = options.now_us;
  resp_.set_bulk_bytes_max(static_cast<int64_t>(dispatcher.value_bytes_max()));
  rewind_parsers();
  dispatcher.add(client_);
}

Conversation::~Conversation() { dispatcher_.remove(client_); }

void Conversation::rewind_parsers() {
  resp_.reset();
  protocol::MemcachedLimits limits;
  limits.value_bytes_max = dispatcher_.value_bytes_max();
  limits.item_bytes_max = dispatcher_.item_bytes_max();
  memcached_ = protocol::MemcachedParser(limits);
  binary_ = protocol::MemcachedBinaryParser(limits);
}

// Who is over its part may have given something back.
bool Conversation::blocked() const {
  if (client_.over) [[unlikely]]
    clients_.count(client_);
  return client_.stalled || client_.over || client_.replies.waiting() >= kPendingMax;
}

ParseResult Conversation::parse_one(std::string_view input, Batch& batch) {
  const bool authenticated = client_.session.authenticated;
  ParsedRequest request;
  request.first_word = batch.words.size();
  ParseResult result;
  const size_t index = batch.requests.size();
  switch (client_.session.dialect) {
    case Dialect::kResp:
      resp_.set_authenticated(authenticated);
      result = resp_.parse(input, batch.words);
      break;
    case Dialect::kMemcached:
      memcached_.set_authenticated(authenticated);
      request.begin = std::min<uint64_t>(memcached_.swallowing(), input.size());
      if (batch.memcached.size() <= index) batch.memcached.resize(Batch::kRequestsMax);
      result = memcached_.parse(input, batch.memcached[index]);
      break;
    case Dialect::kMemcachedBinary:
      binary_.set_authenticated(authenticated);
      request.begin = std::min<uint64_t>(binary_.swallowing(), input.size());
      if (batch.binary.size() <= index) batch.binary.resize(Batch::kRequestsMax);
      result = binary_.parse(input, batch.binary[index]);
      break;
  }
  request.word_count = batch.words.size() - request.first_word;
  if (result.status == ParseStatus::kRequest) batch.requests.push_back(request);
  return result;
}

// Until the input ends or the batch is full. What a client may send depends on the request before,
// while it is not authenticated: then one at a time.
ParseResult Conversation::parse(std::string_view input, Batch& batch) {
  batch.words.clear();
  batch.requests.clear();
  const size_t requests_max = client_.session.authenticated ? Batch::kRequestsMax : 1;
  ParseResult result;
  size_t taken = 0;
  do {
    result = parse_one(input.substr(taken), batch);
    if (result.status == ParseStatus::kRequest) batch.requests.back().begin += taken;
    taken += result.consumed;
  } while (result.status == ParseStatus::kRequest && batch.requests.size() < requests_max);
  result.consumed = taken;
  return result;
}

void Conversation::fail(std::string_view error) {
  client_.session.closing = client_.session.broken = true;
  if (error.empty()) return;
  if (client_.session.dialect == Dialect::kMemcached)
    return Completions::answer(client_, Reply::error(error));
  std::string text = std::string("ERR ").append(error);
  if (client_.session.dialect == Dialect::kResp) dispatcher_.facts().logbook().errors.note(text);
  Completions::answer(client_, Reply::error_owned(std::move(text)));
}

void Conversation::refuse(std::string_view input) {
  client_.session.closing = true;
  dispatcher_.services().refused_by_protected_mode(client_.session.peer_address);
  switch (client_.session.dialect) {
    case Dialect::kResp:
      return Completions::answer(client_, Reply::error(kDenied));
    case Dialect::kMemcached:
      return Completions::answer(client_,
                                 Reply::error_owned(std::string("SERVER_ERROR ").append(kDenied)));
    case Dialect::kMemcachedBinary: {
      std::string echo;
      append_echo(protocol::echo_of_header(input), echo);
      return Completions::answer(
          client_, Reply::frame(echo, protocol::MemcachedStatus::kAuthFailed, kDenied));
    }
  }
}

// The first bytes of a connection.
void Conversation::greet(std::string_view input, Now now) {
  has_spoken_ = true;
  SessionState& session = client_.session;
  if (session.started_us == 0) session.started_us = session.last_active_us = now.steady_us;
  const bool binary = input[0] == protocol::kMemcachedBinaryMagic;
  if (binary && session.dialect == Dialect::kMemcached) session.dialect = Dialect::kMemcachedBinary;
  if (refused_) refuse(input);
}

size_t Conversation::run(std::string_view input, Now now) {
  more_hint_ = 0;
  if (!has_spoken_ && !input.empty()) greet(input, now);
  Batch& batch = commands_.batch();
  size_t taken = 0;
  while (!blocked() && !client_.session.closing) {
    const ParseResult parsed = parse(input.substr(taken), batch);
    if (!batch.requests.empty()) commands_.look_up(client_);
    for (size_t i = 0; i < batch.requests.size(); ++i) {
      if (client_.session.closing) return input.size();
      client_.stalled = !commands_.execute(client_, i, now);
      if (dispatcher_.tracking().has_changes()) [[unlikely]]
        dispatcher_.tracking().tell_own(now.steady_us);
      if (!clients_.holds_little(client_)) [[unlikely]]
        clients_.count(client_);
      if (!blocked()) continue;
      // Full after this request, or before it: the rest is parsed again when there is room.
      const size_t next = client_.stalled ? i : i + 1;
      if (next < batch.requests.size()) {
        rewind_parsers();
        return taken + batch.requests[next].begin;
      }
    }
    taken += parsed.consumed;
    if (parsed.status == ParseStatus::kError) fail(parsed.error);
    if (parsed.status == ParseStatus::kNeedMore) more_hint_ = parsed.more_hint;
    if (parsed.status != ParseStatus::kRequest) break;
  }
  return client_.session.closing ? input.size() : taken;
}

size_t Conversation::consume(std::string_view input, Now now) {
  KVORUM_CHECK(!client_.consuming);  // nothing within calls back
  client_.consuming = true;
  client_.input_bytes = input.size();
  client_.woken = false;
  const size_t taken = run(input, now);
  KVORUM_CHECK(taken <= input.size());
  resp_.reset_arena();
  if (dispatcher_.has_work()) dispatcher_.run_due(now);
  client_.consuming = false;
  return taken;
}

std::string& Conversation::output() {
  client_.woken = false;
  return client_.replies.output();
}

void Conversation::set_buffers(size_t input_bytes, size_t unsent_bytes) {
  client_.input_bytes = input_bytes;
  client_.unsent_bytes = unsent_bytes;
  clients_.count(client_);
}

const SessionState& Conversation::session() const {
  client_.update_buffers();
  return client_.session;
}

void Conversation::set_wake(void (*wake)(void* owner), void* owner) {
  client_.wake = wake;
  client_.wake_owner = owner;
}

void Conversation::set_input_share(SharedBytes (*share)(void* owner, std::string_view part),
                                   void* owner) {
  client_.share_input = share;
  client_.input_owner = owner;
}

}  // namespace kvorum::server
