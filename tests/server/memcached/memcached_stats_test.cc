// SPDX-License-Identifier: Apache-2.0
// `stats`: every name that memcached 1.6.18 has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "server/memcached/memcached_commands.h"
#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

// All of memcached 1.6.18.
constexpr std::string_view kNames =
    "pid uptime time version libevent pointer_size rusage_user rusage_system "
    "max_connections curr_connections total_connections rejected_connections "
    "connection_structures response_obj_oom response_obj_count response_obj_bytes "
    "read_buf_count read_buf_bytes read_buf_bytes_free read_buf_oom reserved_fds cmd_get "
    "cmd_set cmd_flush cmd_touch cmd_meta get_hits get_misses get_expired get_flushed "
    "delete_misses delete_hits incr_misses incr_hits decr_misses decr_hits cas_misses "
    "cas_hits cas_badval touch_hits touch_misses store_too_large store_no_memory "
    "auth_cmds auth_errors bytes_read bytes_written limit_maxbytes accepting_conns "
    "listen_disabled_num time_in_listen_disabled_us threads conn_yields hash_power_level "
    "hash_bytes hash_is_expanding slab_reassign_rescues slab_reassign_chunk_rescues "
    "slab_reassign_evictions_nomem slab_reassign_inline_reclaim slab_reassign_busy_items "
    "slab_reassign_busy_deletes slab_reassign_running slabs_moved lru_crawler_running "
    "lru_crawler_starts lru_maintainer_juggles malloc_fails log_worker_dropped "
    "log_worker_written log_watcher_skipped log_watcher_sent log_watchers "
    "unexpected_napi_ids round_robin_fallback bytes curr_items total_items "
    "slab_global_page_pool expired_unfetched evicted_unfetched evicted_active evictions "
    "reclaimed crawler_reclaimed crawler_items_checked lrutail_reflocked moves_to_cold "
    "moves_to_warm moves_within_lru direct_reclaims lru_bumps_dropped";

class MemcachedStats : public ::testing::Test {
 protected:
  CommandCluster cluster{1};
  TestClient m{cluster, 0, TestClient::memcached()};

  // Names are separated by blanks.
  void expect_names(const std::string& command, std::string_view names) {
    const std::string stats = m.line(command + "\r\n");
    while (!names.empty()) {
      const std::string name(names.substr(0, names.find(' ')));
      EXPECT_THAT(stats, HasSubstr("STAT " + name + " ")) << command;
      names.remove_prefix(std::min(names.size(), name.size() + 1));
    }
    EXPECT_THAT(stats, EndsWith("END\r\n"));
  }
};

TEST_F(MemcachedStats, HaveTheNamesThatMonitorsRead) { expect_names("stats", kNames); }

TEST_F(MemcachedStats, HaveGroups) {
  m.line("set k 0 0 1\r\n1\r\n");
  expect_names(
      "stats settings",
      "maxbytes maxconns tcpport udpport inter item_size_max binding_protocol "
      "auth_enabled_sasl cas_enabled flush_enabled dump_enabled hot_lru_pct warm_max_factor "
      "temporary_ttl watcher_logbuf_size");
  expect_names("stats sizes", "sizes_status");
  expect_names("stats conns", "1:addr 1:state 1:secs_since_last_cmd");
  EXPECT_EQ(m.line("stats detail on\r\nstats detail dump\r\nstats reset\r\n"),
            "OK\r\nEND\r\nRESET\r\n");
  EXPECT_EQ(m.line("stats nosuch\r\n"), "ERROR\r\n");
}

}  // namespace
}  // namespace kvorum::server
