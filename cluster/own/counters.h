// SPDX-License-Identifier: Apache-2.0
// What a coordinator counts.
#pragma once

#include <cstdint>

namespace kvorum::cluster {

// Since start; read by another thread for metrics, hence atomic there (server copies them per
// turn).
struct CoordinatorCounters {
  uint64_t gets = 0, puts = 0, forwards = 0, forward_retries = 0, hedged_reads = 0;
  // Readings of edits, and of reads, that met another coordinator's edit and were done once more.
  uint64_t edits_contended = 0, reads_contested = 0;
  uint64_t forwards_too_late = 0;  // first attempts of writes that were held up, and dropped
  uint64_t replica_reads = 0, replica_writes = 0;
  uint64_t read_repairs = 0, read_repairs_skipped = 0, digest_mismatches = 0, second_writes = 0;
  uint64_t hints_stored = 0, hints_replayed = 0, hints_moved = 0;
  uint64_t writes_softened = 0;  // acknowledged by fewer than W: writes_when_short
  uint64_t no_quorum = 0, uncertain = 0, timeouts = 0;
  uint64_t siblings_seen = 0, concurrent_dropped = 0, clock_truncations = 0;
  uint64_t malformed_frames = 0, operations_in_flight = 0, expired = 0;
  // Anti-entropy: exchanges of one partition with one peer, begun by this node.
  uint64_t exchanges_started = 0, exchanges_clean = 0, exchanges_failed = 0;
  uint64_t exchange_rounds = 0, exchange_bytes = 0;  // frames sent that compare, either side
  uint64_t keys_compared = 0, keys_settled = 0;      // settled: different only for a moment
  uint64_t keys_pulled = 0, keys_pushed = 0;         // repaired here, and at the peer
  uint64_t keys_filled = 0, filled_bytes = 0;        // of those pulled: as whole pages
  uint64_t trees_built = 0, tree_mismatches = 0;
  uint64_t tombstones_reaped = 0, dead_versions = 0;
  uint64_t ranges_dropped = 0;  // of partitions that this node owns no more
  uint64_t evicted_keys = 0;    // by this node for want of memory; the copies of others follow

  CoordinatorCounters& operator+=(const CoordinatorCounters& other);
};

}  // namespace kvorum::cluster
