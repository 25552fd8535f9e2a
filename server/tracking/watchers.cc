// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/watchers.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/memcached/watching.h"

namespace kvorum::server {

bool Watchers::watch(SessionState& session, uint8_t streams) {
  ClientState& client = parts_.clients.of(session);
  const auto known = std::find_if(watchers_.begin(), watchers_.end(),
                                  [&](const Watcher& each) { return each.client == &client; });
  if (known != watchers_.end()) {
    parts_.hub.remove_watcher(reactor_, known->streams);
    known->streams |= streams;
    return parts_.hub.add_watcher(reactor_, known->streams);
  }
  if (!parts_.hub.add_watcher(reactor_, streams)) return false;
  watchers_.push_back({&client, streams, 0});
  return true;
}

void Watchers::remove(ClientState& client) {
  for (const Watcher& each : watchers_) {
    if (each.client == &client) parts_.hub.remove_watcher(reactor_, each.streams);
  }
  std::erase_if(watchers_, [&](const Watcher& each) { return each.client == &client; });
}

void Watchers::tell(WatchStream stream, std::string_view text) {
  if ((watched() & stream) == 0) return;
  const uint64_t wall_us = parts_.services.wall_us();
  const WatchedLine line{stream, std::make_shared<const std::string>(fmt::format(
                                     "ts={}.{:06} gid={} {}\n", wall_us / 1'000'000,
                                     wall_us % 1'000'000, parts_.hub.next_line(), text))};
  push(line);
  parts_.hub.post_watched(reactor_, line);
}

// `10.0.0.1:4711`, or a Unix socket's path with port 0, which memcached calls local.
void Watchers::tell_memcached_connection(const ClientState& client, bool begins) {
  const SessionState& session = client.session;
  const std::string_view address = session.peer_address;
  const size_t colon = address.rfind(':');
  const bool local = address.starts_with('/') || colon == address.npos;
  const std::string_view host = local ? "unix" : address.substr(0, colon);
  const std::string_view port = local ? "0" : address.substr(colon + 1);
  std::string text = fmt::format("type=conn_{} rip={} rport={} transport={}",
                                 begins ? "new" : "close", host, port, local ? "local" : "tcp");
  const bool failed = session.broken || client.overrun || client.killed;
  if (!begins) text += failed ? " reason=error" : " reason=normal";
  tell(kWatchConnections, text.append(fmt::format(" cfd={}", session.id)));
}

// As of one that was never fetched: that is not kept.
void Watchers::tell_eviction(const cluster::EvictedKey& evicted) {
  const auto wall_ms = static_cast<int64_t>(parts_.services.wall_us() / 1000);
  const auto seconds = [](int64_t ms) { return std::max<int64_t>(ms, 0) / 1000; };
  const int64_t lifetime_s =
      evicted.deadline_ms == 0 ? -1 : seconds(static_cast<int64_t>(evicted.deadline_ms) - wall_ms);
  std::string key;
  append_uri_encoded(evicted.key, key);
  tell(kWatchEvictions,
       fmt::format("type=eviction key={} fetch=no ttl={} la={} clsid=1 size={}", key, lifetime_s,
                   seconds(wall_ms - static_cast<int64_t>(evicted.written_ms)), evicted.bytes));
}

void Watchers::take(const TrackingMail& mail) {
  for (const WatchedLine& line : mail.watched) push(line);
}

void Watchers::push(const WatchedLine& line) {
  for (Watcher& each : watchers_) {
    if ((each.streams & line.stream) == 0) continue;
    ClientState& client = *each.client;
    if (client.replies.bytes() + client.unsent_bytes > kWaitingBytesMax) {
      ++each.skipped;
      parts_.hub.count_lines(0, 1);
      continue;
    }
    if (each.skipped > 0) {
      parts_.pub_sub.push_bytes(client, fmt::format("skipped={}\n", each.skipped), 0);
      each.skipped = 0;
    }
    parts_.pub_sub.push_bytes(client, *line.text, 0);
    parts_.hub.count_lines(1, 0);
  }
}

}  // namespace kvorum::server
