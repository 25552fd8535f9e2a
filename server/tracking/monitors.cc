// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/monitors.h"

#include <utility>

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
  if (row.name == "exec") show_all_behind(by.now_us);  // of a script that was queued
  if (is_shown(row)) show_words(by, &row, words);
  show_all_behind(by.now_us);
}

void Monitors::show_words(const ShownBy& by, const CommandRow* row, Words words) {
  tell(monitor_line({row, words, by.session.keyspace, by.session.peer_address}, by.facts.wall_us()),
       by.now_us);
}

void Monitors::show_all_behind(uint64_t now_us) {
  for (std::string& line : std::exchange(behind_, {})) tell(std::move(line), now_us);
}

void Monitors::tell(std::string line, uint64_t now_us) {
  const auto shared = std::make_shared<const std::string>(std::move(line));
  push(*shared, now_us);
  parts_.hub.post_line(reactor_, shared);
}

void Monitors::take(const TrackingMail& mail, uint64_t now_us) {
  for (const auto& line : mail.lines) push(*line, now_us);
}

void Monitors::push(const std::string& line, uint64_t now_us) {
  for (ClientState* const monitor : monitors_) parts_.pub_sub.push_bytes(*monitor, line, now_us);
}

}  // namespace kvorum::server
