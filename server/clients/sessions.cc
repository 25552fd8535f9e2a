// SPDX-License-Identifier: Apache-2.0
#include "server/clients/sessions.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/error_texts.h"
#include "protocol/resp_writer.h"
#include "server/commands/session_state.h"
#include "server/net/hosts.h"
#include "server/process/logging.h"

namespace kvorum::server {
namespace {

std::string address_text(const Tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
         std::to_string(endpoint.port());
}

// Of the Unix socket that the connection came to; empty where it is none.
std::string path_of(TcpSocket& socket) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.native_handle(), reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      address.sun_family != AF_UNIX) {
    return {};
  }
  return {address.sun_path, strnlen(address.sun_path, sizeof address.sun_path)};
}

std::string more_since(const LogGates::Verdict& verdict) {
  if (verdict.suppressed == 0) return {};
  return fmt::format(", {} more since the last time", verdict.suppressed);
}

}  // namespace

SessionRules session_rules(const Config& config) {
  const LimitsConfig& limits = config.limits;
  SessionRules rules;
  rules.has_password = !config.passwords.empty();
  rules.client_output_max_bytes = limits.client_output_max_bytes;
  rules.client_output_bytes = limits.client_output_bytes;
  rules.client_output_wait_us =
      std::max(limits.client_output_wait_ms, SessionRules::kWaitMsMin) * 1000;
  if (limits.client_output_bytes != 0) rules.client_silence_us = rules.client_output_wait_us;
  rules.client_idle_us = limits.client_idle_ms * 1000;
  rules.keepalive_seconds = (limits.client_keepalive_ms + 999) / 1000;
  return rules;
}

Sessions::Sessions(Dispatcher& dispatcher, StreamShare& share, TurnClock& clock, ClientCount& count)
    : dispatcher_(dispatcher), share_(share), clock_(clock), count_(count) {}

Sessions::~Sessions() { count_.connected.fetch_sub(static_cast<uint32_t>(sessions_.size())); }

// Says no in the words of the dialect, as far as the socket takes them at once.
bool Sessions::admit(TcpSocket& socket, Dialect dialect) {
  count_.received.fetch_add(1, std::memory_order_relaxed);
  if (count_.connected.fetch_add(1) < count_.max.load(std::memory_order_relaxed)) return true;
  count_.connected.fetch_sub(1);
  count_.rejected.fetch_add(1, std::memory_order_relaxed);
  std::string text;
  if (dialect == Dialect::kResp) {
    protocol::append_error(text, protocol::kMaxClients);
  } else {
    text = "ERROR Too many open connections\r\n";
  }
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(text), ignored);
  socket.shutdown(TcpSocket::shutdown_send, ignored);
  return false;
}

void Sessions::adopt(TcpSocket socket, Dialect dialect) {
  if (!admit(socket, dialect)) return;
  const std::string path = path_of(socket);
  error_code error;
  ConversationOptions options;
  options.dialect = dialect;
  bool is_local = true;
  if (path.empty()) {
    const Tcp::endpoint remote = socket.remote_endpoint(error);
    options.peer_address = address_text(remote);
    options.local_address = address_text(socket.local_endpoint(error));
    is_local = is_loopback_address(remote.address());
  } else {
    options.peer_address = options.local_address = path + ":0";  // as Redis shows it
  }
  options.now_us = clock_.now().steady_us;
  options.authenticated = !rules_.has_password;
  options.refused_by_protected_mode = !rules_.has_password && !is_local;
  auto session = std::make_unique<Session>(*this, std::move(socket), options);
  Session& started = *session;
  sessions_.emplace(&started, std::move(session));
  started.start();
}

bool Sessions::may_receive(const Session& session, size_t kept_bytes) {
  const InFlightShare& in_flight = share_.in_flight;
  const uint64_t used = in_flight.used();
  if (receiver_ == &session || used + kept_bytes <= in_flight.limit()) return true;
  if (receiver_ == nullptr) {
    receiver_ = &session;
    return true;
  }
  session.paused = any_paused_ = true;
  return false;
}

void Sessions::look(uint64_t now_us) {
  look_at_us_ = now_us + kLookUs;
  if (now_us >= judge_at_us_) judge(now_us);
  if (!any_paused_) return;
  any_paused_ = false;
  for (const auto& [session, owned] : sessions_) {
    if (std::exchange(session->paused, false)) mark(*session);
  }
}

void Sessions::judge(uint64_t now_us) {
  judge_at_us_ = now_us + kJudgeUs;
  ClientMemory found;
  found.output_closed = memory_.output_closed;
  found.idle_closed = memory_.idle_closed;
  std::vector<Session*> stuck, full, idle;
  for (const auto& [session, owned] : sessions_) {
    if (!session->is_open()) continue;
    const SessionState& state = session->state();
    const SessionState::Buffers& buffers = state.buffers;
    found.held_bytes += buffers.all_bytes;
    found.largest_input = std::max(found.largest_input, buffers.input_bytes);
    found.largest_output = std::max(found.largest_output, buffers.output_bytes);
    if (buffers.all_bytes > InFlightShare::kFloorBytes) {
      found.add({.largest = {{"client " + state.peer_address, buffers.all_bytes}}});
    }
    const bool silent = session->is_silent_receiver(now_us);
    if (session->is_stuck(now_us) || silent) {
      stuck.push_back(session);
    } else if (session->is_full()) {
      full.push_back(session);
    } else if (session->is_idle(now_us)) {
      idle.push_back(session);
    }
  }
  memory_ = std::move(found);
  for (Session* const session : stuck) close_stuck(*session, now_us);
  for (Session* const session : full) close_full(*session, now_us);
  for (Session* const session : idle) close_idle(*session);
}

void Sessions::close_idle(Session& session) {
  ++memory_.idle_closed;
  session.close();
  retire(session);
}

void Sessions::close_stuck(Session& session, uint64_t now_us) {
  ++memory_.output_closed;
  const SessionState& state = session.state();
  const LogGates::Verdict verdict = count_.ask_gate("takes no replies", now_us);
  if (verdict.open) {
    log_warning(
        "client {} takes no replies, or does not go on with its request; {} bytes were held for "
        "it, "
        "and nothing moved for {} s: it was closed (limits.client_output_wait){}",
        state.peer_address, state.buffers.all_bytes, rules_.client_output_wait_us / 1'000'000,
        more_since(verdict));
  }
  session.close();
  retire(session);
}

void Sessions::close_full(Session& session, uint64_t now_us) {
  ++memory_.output_closed;
  const SessionState& state = session.state();
  const LogGates::Verdict verdict = count_.ask_gate("has too many replies", now_us);
  if (verdict.open) {
    log_warning(
        "{} bytes of replies waited for client {}: it was closed (limits.client_output_max){}",
        state.buffers.output_bytes, state.peer_address, more_since(verdict));
  }
  session.close();
  retire(session);
}

void Sessions::close_overrun(Session& session) {
  ++memory_.output_closed;
  const SessionState& state = session.state();
  const LogGates::Verdict verdict = count_.ask_gate("takes no messages", clock_.now().steady_us);
  if (verdict.open) {
    log_warning(
        "client {} does not take the messages that it is subscribed to; {} bytes waited for it, "
        "and it was closed{}",
        state.peer_address, state.buffers.output_bytes, more_since(verdict));
  }
  session.close();
  retire(session);
}

void Sessions::mark(Session& session) {
  if (session.dirty) return;
  session.dirty = true;
  dirty_.push_back(&session);
}

void Sessions::flush() {
  flushing_.swap(dirty_);
  for (Session* const session : flushing_) {
    session->dirty = false;
    if (session->is_open()) session->flush();
  }
  flushing_.clear();
}

void Sessions::retire(Session& session) {
  received(session);
  const auto found = sessions_.find(&session);
  if (found == sessions_.end()) return;
  closed_.push_back(std::move(found->second));
  sessions_.erase(found);
  count_.connected.fetch_sub(1);
}

void Sessions::reap() {
  turn_full_at_ = share_.in_flight.used() + kTurnBytesMax;
  if (closed_.empty()) return;
  std::erase_if(closed_, [](const std::unique_ptr<Session>& session) {
    if (session->dirty) return false;  // the next flush still looks at it
    session->drop_conversation();
    return true;
  });
}

void Sessions::drain() {
  std::vector<Session*> all;  // one that broke leaves the list
  for (const auto& [session, owned] : sessions_) all.push_back(session);
  for (Session* const session : all) session->drain();
}

void Sessions::close_all() {
  dirty_.clear();
  while (!sessions_.empty()) {
    Session& session = *sessions_.begin()->first;
    session.dirty = false;
    session.close();
    retire(session);
  }
}

}  // namespace kvorum::server
