// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/monitors.h"

#include "server/tracking/monitor_line.h"

namespace kvorum::server {

void Monitors::add(SessionState& session) {
  if (session.monitors) return;
  monitors_.push_back(&parts_.clients.of(session));
  session.monitors = true;
  parts_.hub.count_monitor(reactor_, true);
}

void Monitors::remove(SessionState& session) {
  if (!session.monitors) return;
  session.monitors = false;
  std::erase_if(monitors_, [&](const ClientState* each) { return &each->session == &session; });
  parts_.hub.count_monitor(reactor_, false);
}

void Monitors::show(const ShownBy& by, const CommandRow& row, Words words) {
  if (!is_shown(row)) return;
  const auto line = std::make_shared<const std::string>(
      monitor_line({row, words, by.session.keyspace, by.session.peer_address}, by.facts.wall_us()));
  push(*line, by.now_us);
  parts_.hub.post_line(reactor_, line);
}

void Monitors::take(const TrackingMail& mail, uint64_t now_us) {
  for (const auto& line : mail.lines) push(*line, now_us);
}

void Monitors::push(const std::string& line, uint64_t now_us) {
  for (ClientState* const monitor : monitors_) parts_.pub_sub.push_bytes(*monitor, line, now_us);
}

}  // namespace kvorum::server
