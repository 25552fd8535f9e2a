// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/conversation.h"

#include "protocol/memcached_binary.h"
#include "protocol/memcached_parser.h"
#include "protocol/resp_parser.h"
#include "server/dispatch/dispatcher_impl.h"

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

struct Conversation::Impl {
  Impl(Dispatcher::Impl& dispatcher, ConversationOptions options);

  size_t run(std::string_view input, Now now);
  ParseResult parse(std::string_view input, Batch& batch);
  ParseResult parse_one(std::string_view input, Batch& batch);
  bool execute(size_t index, Now now);
  void fail(std::string_view error);
  void greet(std::string_view input, Now now);
  void refuse();
  void refuse_binary(std::string_view input);
  bool blocked();
  // Forgets what the parsers know of bytes that will be handed in again.
  void rewind_parsers();

  Dispatcher::Impl& home;
  ClientState client;
  const bool refused;
  protocol::RespParser resp;
  protocol::MemcachedParser memcached;
  size_t more_hint = 0;
  bool has_spoken = false;  // its first byte came
};

Conversation::Impl::Impl(Dispatcher::Impl& dispatcher, ConversationOptions options)
    : home(dispatcher), client(dispatcher.in_flight), refused(options.refused_by_protected_mode) {
  SessionState& session = client.session;
  session.dialect = options.dialect;
  session.peer_address = std::move(options.peer_address);
  session.local_address = std::move(options.local_address);
  session.authenticated = options.authenticated;
  session.started_us = session.last_active_us = options.now_us;
  resp.set_bulk_bytes_max(static_cast<int64_t>(home.options.value_bytes_max));
  rewind_parsers();
  home.add(client);
}

void Conversation::Impl::rewind_parsers() {
  resp.reset();
  protocol::MemcachedLimits limits;
  limits.value_bytes_max = home.options.value_bytes_max;
  memcached = protocol::MemcachedParser(limits);
}

// Who is over its part may have given something back.
bool Conversation::Impl::blocked() {
  if (client.over) [[unlikely]]
    home.count(client);
  return client.stalled || client.over || client.replies.waiting() >= kPendingMax;
}

ParseResult Conversation::Impl::parse_one(std::string_view input, Batch& batch) {
  const bool authenticated = client.session.authenticated;
  ParsedRequest request;
  request.first_word = batch.words.size();
  ParseResult result;
  if (client.session.dialect == Dialect::kResp) {
    resp.set_authenticated(authenticated);
    result = resp.parse(input, batch.words);
  } else {
    memcached.set_authenticated(authenticated);
    const size_t index = batch.requests.size();
    if (batch.memcached.size() <= index) batch.memcached.resize(kPipelineBatch);
    result = memcached.parse(input, batch.memcached[index]);
  }
  request.word_count = batch.words.size() - request.first_word;
  if (result.status == ParseStatus::kRequest) batch.requests.push_back(request);
  return result;
}

// Until the input ends or the batch is full. What a client may send depends on the request before,
// while it is not authenticated: then one at a time.
ParseResult Conversation::Impl::parse(std::string_view input, Batch& batch) {
  batch.words.clear();
  batch.requests.clear();
  const size_t requests_max = client.session.authenticated ? kPipelineBatch : 1;
  ParseResult result;
  size_t taken = 0;
  do {
    result = parse_one(input.substr(taken), batch);
    if (result.status == ParseStatus::kRequest) batch.requests.back().begin = taken;
    taken += result.consumed;
  } while (result.status == ParseStatus::kRequest && batch.requests.size() < requests_max);
  result.consumed = taken;
  return result;
}

bool Conversation::Impl::execute(size_t index, Now now) {
  if (client.session.dialect == Dialect::kMemcached) {
    return home.execute_memcached(client, index, now);
  }
  return home.execute(client, home.batch.requests[index], now);
}

void Conversation::Impl::fail(std::string_view error) {
  client.session.closing = true;
  if (error.empty()) return;
  if (client.session.dialect == Dialect::kMemcached)
    return home.answer(client, Reply::error(error));
  home.answer(client, Reply::error_owned(std::string("ERR ").append(error)));
}

void Conversation::Impl::refuse() {
  client.session.closing = true;
  home.services.refused_by_protected_mode(client.session.peer_address);
  const bool resp_dialect = client.session.dialect == Dialect::kResp;
  home.answer(client, resp_dialect
                          ? Reply::error(kDenied)
                          : Reply::error_owned(std::string("SERVER_ERROR ").append(kDenied)));
}

// The first bytes of a connection.
void Conversation::Impl::greet(std::string_view input, Now now) {
  has_spoken = true;
  SessionState& session = client.session;
  if (session.started_us == 0) session.started_us = session.last_active_us = now.steady_us;
  if (refused) return refuse();
  const bool binary = input[0] == protocol::kMemcachedBinaryMagic;
  if (binary && session.dialect == Dialect::kMemcached) refuse_binary(input);
}

void Conversation::Impl::refuse_binary(std::string_view input) {
  client.session.closing = true;
  home.services.binary_client(client.session.peer_address);
  home.answer(client, Reply::preformatted_owned(protocol::refuse_memcached_binary(input)));
}

size_t Conversation::Impl::run(std::string_view input, Now now) {
  more_hint = 0;
  if (!has_spoken && !input.empty()) greet(input, now);
  Batch& batch = home.batch;
  size_t taken = 0;
  while (!blocked() && !client.session.closing) {
    const ParseResult parsed = parse(input.substr(taken), batch);
    if (!batch.requests.empty()) home.look_up(client, batch);
    for (size_t i = 0; i < batch.requests.size(); ++i) {
      if (client.session.closing) return input.size();
      client.stalled = !execute(i, now);
      if (!home.holds_little(client)) [[unlikely]]
        home.count(client);
      if (!blocked()) continue;
      // Full after this request, or before it: the rest is parsed again when there is room.
      const size_t next = client.stalled ? i : i + 1;
      if (next < batch.requests.size()) {
        rewind_parsers();
        return taken + batch.requests[next].begin;
      }
    }
    taken += parsed.consumed;
    if (parsed.status == ParseStatus::kError) fail(parsed.error);
    if (parsed.status == ParseStatus::kNeedMore) more_hint = parsed.more_hint;
    if (parsed.status != ParseStatus::kRequest) break;
  }
  return client.session.closing ? input.size() : taken;
}

Conversation::Conversation(Dispatcher& dispatcher, ConversationOptions options)
    : impl_(std::make_unique<Impl>(dispatcher.impl(), std::move(options))) {}

Conversation::~Conversation() { impl_->home.remove(impl_->client); }

size_t Conversation::consume(std::string_view input, Now now) {
  ClientState& client = impl_->client;
  client.consuming = true;
  client.woken = false;
  const size_t taken = impl_->run(input, now);
  impl_->resp.reset_arena();
  if (impl_->home.has_work()) impl_->home.run_due(now);
  client.consuming = false;
  return taken;
}

size_t Conversation::more_hint() const { return impl_->more_hint; }

std::string& Conversation::output() {
  impl_->client.woken = false;
  return impl_->client.replies.output();
}

bool Conversation::has_large_output() const { return impl_->client.replies.has_large(); }

LargeReply Conversation::take_large_output() { return impl_->client.replies.take_large(); }

bool Conversation::blocked() const { return impl_->blocked(); }

bool Conversation::closing() const { return impl_->client.session.closing; }

void Conversation::set_buffers(size_t input_bytes, size_t unsent_bytes) {
  impl_->client.input_bytes = input_bytes;
  impl_->client.unsent_bytes = unsent_bytes;
  impl_->home.count(impl_->client);
}

const SessionState& Conversation::session() const {
  impl_->client.update_buffers();
  return impl_->client.session;
}

size_t Conversation::held_bytes() const { return impl_->client.held_bytes(); }

bool Conversation::has_pending() const { return impl_->client.replies.waiting() > 0; }

void Conversation::set_wake(void (*wake)(void* owner), void* owner) {
  impl_->client.wake = wake;
  impl_->client.wake_owner = owner;
}

void Conversation::set_input_share(SharedBytes (*share)(void* owner, std::string_view part),
                                   void* owner) {
  impl_->client.share_input = share;
  impl_->client.input_owner = owner;
}

uint64_t Conversation::id() const { return impl_->client.session.id; }

}  // namespace kvorum::server
