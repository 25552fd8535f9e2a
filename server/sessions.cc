// SPDX-License-Identifier: Apache-2.0
#include "server/sessions.h"

#include <algorithm>

#include "server/hosts.h"
#include "server/logging.h"

namespace kvorum::server {
namespace {

std::string address_text(const Tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
         std::to_string(endpoint.port());
}

}  // namespace

Sessions::Sessions(Dispatcher& dispatcher, StreamShare& share, TurnClock& clock, ClientCount& count)
    : dispatcher_(dispatcher), share_(share), clock_(clock), count_(count) {}

Sessions::~Sessions() { count_.connected.fetch_sub(static_cast<uint32_t>(sessions_.size())); }

// Says no in the words of the dialect, as far as the socket takes them at once.
bool Sessions::admit(TcpSocket& socket, Dialect dialect) {
  count_.received.fetch_add(1, std::memory_order_relaxed);
  if (count_.connected.fetch_add(1) < count_.max.load(std::memory_order_relaxed)) return true;
  count_.connected.fetch_sub(1);
  count_.rejected.fetch_add(1, std::memory_order_relaxed);
  const std::string_view text = dialect == Dialect::kResp ? "-ERR max number of clients reached\r\n"
                                                          : "ERROR Too many open connections\r\n";
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(text), ignored);
  socket.shutdown(TcpSocket::shutdown_send, ignored);
  return false;
}

void Sessions::adopt(TcpSocket socket, Dialect dialect) {
  if (!admit(socket, dialect)) return;
  error_code error;
  const Tcp::endpoint remote = socket.remote_endpoint(error);
  const Tcp::endpoint local = socket.local_endpoint(error);
  ConversationOptions options;
  options.dialect = dialect;
  options.peer_address = address_text(remote);
  options.local_address = address_text(local);
  options.now_us = clock_.now().steady_us;
  options.authenticated = !rules_.has_password;
  options.refused_by_protected_mode =
      !rules_.has_password && !is_loopback_address(remote.address());
  auto session = std::make_unique<Session>(*this, std::move(socket), options);
  Session& started = *session;
  sessions_.emplace(&started, std::move(session));
  started.start();
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
  const auto found = sessions_.find(&session);
  if (found == sessions_.end()) return;
  closed_.push_back(std::move(found->second));
  sessions_.erase(found);
  count_.connected.fetch_sub(1);
}

void Sessions::reap() {
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
