// SPDX-License-Identifier: Apache-2.0
// memcached's `stats` and its groups, with all of its names. What it tells of its slabs, lists and
// threads' buffers has no counterpart, and is 0 or the like here.
#include <fmt/format.h>

#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "server/commands/versions.h"
#include "server/memcached/binary_commands.h"
#include "server/memcached/memcached_commands.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

// Names without a counterpart, in memcached's order.
constexpr std::string_view kBufferNames[] = {
    "response_obj_oom", "response_obj_count",  "response_obj_bytes", "read_buf_count",
    "read_buf_bytes",   "read_buf_bytes_free", "read_buf_oom",       "reserved_fds"};
constexpr std::string_view kThreadNames[] = {"conn_yields",
                                             "hash_power_level",
                                             "hash_bytes",
                                             "hash_is_expanding",
                                             "slab_reassign_rescues",
                                             "slab_reassign_chunk_rescues",
                                             "slab_reassign_evictions_nomem",
                                             "slab_reassign_inline_reclaim",
                                             "slab_reassign_busy_items",
                                             "slab_reassign_busy_deletes",
                                             "slab_reassign_running",
                                             "slabs_moved",
                                             "lru_crawler_running",
                                             "lru_crawler_starts",
                                             "lru_maintainer_juggles",
                                             "malloc_fails"};
constexpr std::string_view kPollingNames[] = {"unexpected_napi_ids", "round_robin_fallback"};
constexpr std::string_view kListNames[] = {
    "reclaimed",         "crawler_reclaimed", "crawler_items_checked",
    "lrutail_reflocked", "moves_to_cold",     "moves_to_warm",
    "moves_within_lru",  "direct_reclaims",   "lru_bumps_dropped"};
constexpr std::string_view kItemNames[] = {
    "evicted_nonzero",   "evicted_time",          "outofmemory",       "tailrepairs",
    "reclaimed",         "expired_unfetched",     "evicted_unfetched", "evicted_active",
    "crawler_reclaimed", "crawler_items_checked", "lrutail_reflocked", "moves_to_cold",
    "moves_to_warm",     "moves_within_lru",      "direct_reclaims",   "hits_to_hot",
    "hits_to_warm",      "hits_to_cold",          "hits_to_temp"};

struct Setting {
  std::string_view name, value;
};
// Of memcached's own machinery, where something reads them.
constexpr Setting kOtherSettings[] = {{"maxconns_fast", "yes"},
                                      {"hashpower_init", "0"},
                                      {"slab_reassign", "no"},
                                      {"slab_automove", "0"},
                                      {"slab_automove_ratio", "0.00"},
                                      {"slab_automove_window", "0"},
                                      {"slab_chunk_max", "0"},
                                      {"lru_crawler", "no"},
                                      {"lru_crawler_sleep", "0"},
                                      {"lru_crawler_tocrawl", "0"},
                                      {"tail_repair_time", "0"},
                                      {"flush_enabled", "yes"},
                                      {"dump_enabled", "yes"},
                                      {"hash_algorithm", "md5"},
                                      {"lru_maintainer_thread", "no"},
                                      {"lru_segmented", "no"},
                                      {"temp_lru", "no"},
                                      {"track_sizes", "no"},
                                      {"inline_ascii_response", "no"},
                                      {"hot_lru_pct", "0"},
                                      {"hot_max_factor", "0.00"},
                                      {"warm_lru_pct", "0"},
                                      {"warm_max_factor", "0.00"},
                                      {"temporary_ttl", "0"},
                                      {"slab_automove_freeratio", "0.000"},
                                      {"read_buf_mem_limit", "0"},
                                      {"watcher_logbuf_size", "262144"},
                                      {"worker_logbuf_size", "0"},
                                      {"num_napi_ids", "(null)"},
                                      {"memory_file", "(null)"},
                                      {"ssl_enabled", "no"}};

constexpr std::string_view kDetailUsage = "CLIENT_ERROR usage: stats detail on|off|dump";

// What a group answers: names and values, or a word.
struct Answer {
  enum class Kind : uint8_t { kStats, kDone, kError };
  Kind kind = Kind::kStats;
  std::vector<std::pair<std::string, std::string>> stats;
  std::string_view word;  // of the other kinds, as the text protocol says it

  static Answer done(std::string_view word) { return {Kind::kDone, {}, word}; }
  static Answer error(std::string_view word) { return {Kind::kError, {}, word}; }
};

class StatLines {
 public:
  template <class Value>
  StatLines& add(std::string_view name, const Value& value) {
    answer_.stats.emplace_back(name, fmt::format("{}", value));
    return *this;
  }
  StatLines& zeros(std::span<const std::string_view> names, std::string_view prefix = {}) {
    for (const std::string_view name : names) add(std::string(prefix).append(name), 0);
    return *this;
  }
  Answer end() { return std::move(answer_); }

 private:
  Answer answer_;
};

void add_connections(const NodeStatus& status, StatLines& lines) {
  lines.add("max_connections", status.clients_max)
      .add("curr_connections", status.clients_connected)
      .add("total_connections", status.connections_received)
      .add("rejected_connections", status.connections_rejected);
  if (status.client_rules.idle_seconds > 0) {
    lines.add("idle_kicks", status.in_flight.clients.idle_closed);
  }
  lines.add("connection_structures", status.clients_connected).zeros(kBufferNames);
}

Answer general(const NodeStatus& status, uint64_t wall_us) {
  StatLines lines;
  lines.add("pid", status.pid)
      .add("uptime", status.uptime_seconds)
      .add("time", wall_us / 1'000'000)
      .add("version", kMemcachedVersion)
      .add("kvorum_version",
           status.version.empty() ? kKvorumVersion : std::string_view(status.version))
      .add("libevent", "none")
      .add("pointer_size", 8 * sizeof(void*))
      .add("rusage_user", fmt::format("{:.6f}", status.cpu_user_seconds))
      .add("rusage_system", fmt::format("{:.6f}", status.cpu_system_seconds));
  add_connections(status, lines);
  const TrafficTotals nothing;
  const TrafficTotals& traffic = status.traffic ? *status.traffic : nothing;
  for (size_t at = 0; at < kCacheCounts; ++at) {
    if (at == static_cast<size_t>(CacheCount::kTotalItems)) continue;  // stands below
    lines.add(kCacheCountNames[at], traffic.cache[at]);
  }
  lines.add("cmd_total", status.commands_processed)
      .add("bytes_read", status.net_input_bytes)
      .add("bytes_written", status.net_output_bytes)
      .add("limit_maxbytes", status.memory_max_bytes)
      .add("accepting_conns", 1)
      .add("listen_disabled_num", 0)
      .add("time_in_listen_disabled_us", 0)
      .add("threads", status.reactors)
      .zeros(kThreadNames)
      .add("log_worker_dropped", status.tracking.lines_dropped)
      .add("log_worker_written", status.tracking.lines_made)
      .add("log_watcher_skipped", status.tracking.lines_skipped)
      .add("log_watcher_sent", status.tracking.lines_sent)
      .add("log_watchers", status.tracking.watchers)
      .zeros(kPollingNames)
      .add("bytes", status.memory_used_bytes)
      .add("curr_items", status.keys[0])
      .add("total_items", traffic.cache[static_cast<size_t>(CacheCount::kTotalItems)])
      .add("slab_global_page_pool", 0)
      .add("expired_unfetched", 0)
      .add("evicted_unfetched", 0)
      .add("evicted_active", 0)
      .add("evictions", status.counters.evicted_keys)
      .zeros(kListNames);
  return lines.end();
}

std::string_view part_of(std::string_view address, bool port) {
  const size_t colon = address.rfind(':');
  if (colon == address.npos) return port ? "0" : address;
  return port ? address.substr(colon + 1) : address.substr(0, colon);
}

Answer settings(const NodeStatus& status, NodeFacts& facts) {
  const ClientRules& rules = status.client_rules;
  StatLines lines;
  lines.add("maxbytes", status.memory_max_bytes)
      .add("maxconns", status.clients_max)
      .add("tcpport", part_of(status.memcached, true))
      .add("udpport", 0)
      .add("inter", part_of(status.memcached, false))
      .add("verbosity", 0)
      .add("oldest", 0)
      .add("evictions", status.eviction == "noeviction" ? "off" : "on")
      .add("domain_socket", rules.memcached_socket.empty() ? "NULL" : rules.memcached_socket)
      .add("umask", 700)
      .add("shutdown_command", "no")
      .add("growth_factor", "1.00")
      .add("chunk_size", 1)
      .add("num_threads", status.reactors)
      .add("num_threads_per_udp", 0)
      .add("stat_key_prefix", ":")
      .add("detail_enabled", "no")
      .add("reqs_per_event", 0)
      .add("cas_enabled", "yes")
      .add("tcp_backlog", rules.backlog)
      .add("idle_timeout", rules.idle_seconds)
      .add("binding_protocol", "auto-negotiate")
      .add("auth_enabled_sasl", facts.passwords().empty() ? "no" : "yes")
      .add("auth_enabled_ascii", facts.passwords().empty() ? "no" : "yes")
      .add("item_size_max", facts.item_bytes_max());
  for (const Setting& setting : kOtherSettings) lines.add(setting.name, setting.value);
  return lines.end();
}

// All items are of one class.
Answer items(const NodeStatus& status) {
  StatLines lines;
  if (status.keys[0] == 0) return lines.end();
  lines.add("items:1:number", status.keys[0])
      .add("items:1:number_hot", status.keys[0])
      .add("items:1:number_warm", 0)
      .add("items:1:number_cold", 0)
      .add("items:1:age_hot", 0)
      .add("items:1:age_warm", 0)
      .add("items:1:age", 0)
      .add("items:1:mem_requested", status.memory_used_bytes)
      .add("items:1:evicted", status.counters.evicted_keys)
      .zeros(kItemNames, "items:1:");
  return lines.end();
}

uint64_t count_of(const NodeStatus& status, CacheCount what) {
  return status.traffic ? status.traffic->cache[static_cast<size_t>(what)] : 0;
}

Answer slabs(const NodeStatus& status) {
  StatLines lines;
  if (status.keys[0] == 0) {
    return lines.add("active_slabs", 0).add("total_malloced", status.memory_used_bytes).end();
  }
  lines.add("1:chunk_size", 1)
      .add("1:chunks_per_page", 1)
      .add("1:total_pages", status.keys[0])
      .add("1:total_chunks", status.keys[0])
      .add("1:used_chunks", status.keys[0])
      .add("1:free_chunks", 0)
      .add("1:free_chunks_end", 0)
      .add("1:get_hits", count_of(status, CacheCount::kGetHits))
      .add("1:cmd_set", count_of(status, CacheCount::kSet))
      .add("1:delete_hits", count_of(status, CacheCount::kDeleteHits))
      .add("1:incr_hits", count_of(status, CacheCount::kIncrHits))
      .add("1:decr_hits", count_of(status, CacheCount::kDecrHits))
      .add("1:cas_hits", count_of(status, CacheCount::kCasHits))
      .add("1:cas_badval", count_of(status, CacheCount::kCasBadValue))
      .add("1:touch_hits", count_of(status, CacheCount::kTouchHits))
      .add("active_slabs", 1)
      .add("total_malloced", status.memory_used_bytes);
  return lines.end();
}

Answer detail(std::span<const std::string_view> words) {
  if (words.size() < 3) return Answer::error(kDetailUsage);
  if (words[2] == "on" || words[2] == "off") return Answer::done("OK");
  return words[2] == "dump" ? Answer::done("END") : Answer::error(kDetailUsage);
}

// Unix sockets stand with port 0.
std::string socket_text(std::string_view address) {
  if (!address.starts_with('/')) return std::string("tcp:").append(address);
  return std::string("unix:").append(address.substr(0, address.rfind(':')));
}

// The memcached connections of one reactor.
Answer connections(NodeFacts& facts, Now now) {
  StatLines lines;
  facts.each_session([&](const SessionState& session) {
    if (session.dialect == Dialect::kResp) return;
    const std::string id = std::to_string(session.id) + ":";
    const uint64_t active_us = session.last_active_us;
    lines.add(id + "addr", socket_text(session.peer_address))
        .add(id + "listen_addr", socket_text(session.local_address))
        .add(id + "state", "conn_read")
        .add(id + "secs_since_last_cmd",
             now.steady_us > active_us ? (now.steady_us - active_us) / 1'000'000 : 0);
  });
  return lines.end();
}

Answer answer_of(std::span<const std::string_view> words, NodeFacts& facts) {
  if (words.size() == 1) return general(since_reset(facts.status()), facts.wall_us());
  const std::string_view group = words[1];
  if (group == "reset") {
    facts.reset_statistics();
    return Answer::done("RESET");
  }
  if (group == "settings") return settings(facts.status(), facts);
  if (group == "items") return items(since_reset(facts.status()));
  if (group == "slabs") return slabs(since_reset(facts.status()));
  if (group == "detail") return detail(words);
  if (group == "sizes") return StatLines().add("sizes_status", "disabled").end();
  if (group == "extstore") return Answer::done("END");
  return Answer::error("ERROR");
}

std::string as_text(const Answer& answer) {
  std::string text;
  for (const auto& [name, value] : answer.stats) {
    fmt::format_to(std::back_inserter(text), "STAT {} {}\r\n", name, value);
  }
  return text;
}

std::string as_frames(const Answer& answer, uint32_t opaque) {
  std::string frames;
  for (const auto& [name, value] : answer.stats) {
    protocol::append_binary_stat(opaque, name, value, frames);
  }
  return frames;
}

Reply join_text(std::string said) { return Reply::preformatted_owned(said.append("END\r\n")); }

// What was said begins with a frame: the one who asks is connected.
Reply join_frames(std::string said) {
  const uint32_t opaque = protocol::echo_of_header(said).opaque;
  protocol::append_binary_stat(opaque, {}, {}, said);
  return Reply::preformatted_owned(std::move(said));
}

}  // namespace

void plan_stats(const MemcachedCall& call, Plan& plan) {
  const std::span<const std::string_view> words = call.request.words;
  if (words.size() > 1 && words[1] == "conns") {
    const Now now = call.now;
    return plan.everywhere([now](NodeFacts& facts) { return as_text(connections(facts, now)); },
                           join_text);
  }
  const Answer answer = answer_of(words, call.facts);
  switch (answer.kind) {
    case Answer::Kind::kStats:
      return plan.answer(join_text(as_text(answer)));
    case Answer::Kind::kDone:
      return plan.answer(Reply::line(answer.word));
    case Answer::Kind::kError:
      return plan.answer(Reply::error(answer.word));
  }
}

void plan_binary_stats(const MemcachedBinaryCall& call, Plan& plan) {
  const uint32_t opaque = call.request.opaque;
  std::vector<std::string_view> words{"stats"};
  std::string_view rest = call.request.key;
  while (!rest.empty()) {
    const size_t blank = rest.find(' ');
    if (blank != 0) words.push_back(rest.substr(0, blank));
    rest.remove_prefix(blank == rest.npos ? rest.size() : blank + 1);
  }
  if (words.size() > 1 && words[1] == "conns") {
    const Now now = call.now;
    return plan.everywhere(
        [now, opaque](NodeFacts& facts) { return as_frames(connections(facts, now), opaque); },
        join_frames);
  }
  const Answer answer = answer_of(words, call.facts);
  if (answer.kind == Answer::Kind::kError) {
    return plan.answer(Reply::refusal(plan.remembered.text, protocol::MemcachedStatus::kNotFound));
  }
  std::string frames = as_frames(answer, opaque);
  protocol::append_binary_stat(opaque, {}, {}, frames);
  plan.answer(Reply::preformatted_owned(std::move(frames)));
}

}  // namespace kvorum::server
