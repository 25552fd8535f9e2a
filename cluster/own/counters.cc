// SPDX-License-Identifier: Apache-2.0
#include "cluster/own/counters.h"

namespace kvorum::cluster {

CoordinatorCounters& CoordinatorCounters::operator+=(const CoordinatorCounters& other) {
  gets += other.gets;
  puts += other.puts;
  forwards += other.forwards;
  forward_retries += other.forward_retries;
  forwards_too_late += other.forwards_too_late;
  edits_contended += other.edits_contended;
  reads_contested += other.reads_contested;
  hedged_reads += other.hedged_reads;
  replica_reads += other.replica_reads;
  replica_writes += other.replica_writes;
  read_repairs += other.read_repairs;
  read_repairs_skipped += other.read_repairs_skipped;
  digest_mismatches += other.digest_mismatches;
  second_writes += other.second_writes;
  hints_stored += other.hints_stored;
  hints_replayed += other.hints_replayed;
  hints_moved += other.hints_moved;
  writes_softened += other.writes_softened;
  no_quorum += other.no_quorum;
  uncertain += other.uncertain;
  timeouts += other.timeouts;
  siblings_seen += other.siblings_seen;
  concurrent_dropped += other.concurrent_dropped;
  clock_truncations += other.clock_truncations;
  malformed_frames += other.malformed_frames;
  operations_in_flight += other.operations_in_flight;
  expired += other.expired;
  exchanges_started += other.exchanges_started;
  exchanges_clean += other.exchanges_clean;
  exchanges_failed += other.exchanges_failed;
  exchange_rounds += other.exchange_rounds;
  exchange_bytes += other.exchange_bytes;
  keys_compared += other.keys_compared;
  keys_settled += other.keys_settled;
  keys_pulled += other.keys_pulled;
  keys_filled += other.keys_filled;
  filled_bytes += other.filled_bytes;
  keys_pushed += other.keys_pushed;
  trees_built += other.trees_built;
  tree_mismatches += other.tree_mismatches;
  tombstones_reaped += other.tombstones_reaped;
  dead_versions += other.dead_versions;
  evicted_keys += other.evicted_keys;
  ranges_dropped += other.ranges_dropped;
  return *this;
}

}  // namespace kvorum::cluster
