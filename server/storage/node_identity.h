// SPDX-License-Identifier: Apache-2.0
// What a node writes down about itself in its store: to whom the data belongs, which configuration
// its copies follow, how the last session ended, how far its clock had come. The identity of a
// cluster is its name, partitions, partitioner and the names of its members; addresses may change.
// A session is one run of the process: it has an incarnation of its own, which survives only a
// clean stop of a cluster's only member (a larger one would need a peer that confirms it), and a
// clock that starts at or above every reading the session before reported. Called at start and
// stop; in between SessionFacts is kept current.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "cluster/ring/configuration.h"
#include "cluster/ring/member.h"
#include "cluster/version/flush_marks.h"
#include "cluster/version/hybrid_clock.h"
#include "engine/store/store.h"

namespace kvorum::server {

// Who wants to use a data directory.
struct StoreClaim {
  std::string directory;
  std::string node_name, cluster_name;
  cluster::NodeId node_id = 0;
  uint64_t cluster_id = 0;
  uint32_t partitions = 0;
  Partitioner partitioner = Partitioner::kMd5;
  std::vector<std::string> member_names;  // of the founders, in order
  bool alone = false;                     // no other member holds anything
  bool waits = false;                     // it is no member: the directory is nobody's yet
  cluster::Configuration configuration;   // of this start
  // As earlier versions would have called the cluster of the present configuration.
  uint64_t addressed_cluster_id = 0;
};

struct SessionStart {
  uint64_t incarnation = 0;
  Hlc clock_least;
  bool was_clean = false;   // the session before ended by a clean stop
  std::string flush_marks;  // FlushMarks::encode()
  std::string roots;        // encode_roots() of the last clean stop
  // The configurations that the copies follow, the one in force last: that of this start only where
  // it is an old one, or the first.
  std::vector<cluster::Configuration> configurations;
  // The directory was written by an earlier version, which called the cluster by this id.
  uint64_t former_cluster_id = 0;
  std::string taken_over;  // what was found out about that, for the log
};

// Claims the store for this node, or says to whom it belongs (kExists). Deletes the clean-stop
// marker: from here on only end_session() makes a stop clean. `fresh_incarnation` is random. What
// an earlier version wrote is taken over: its hash trees, whose digests are of its cluster id, go.
Result<SessionStart> begin_session(engine::Store& store, const StoreClaim& claim,
                                   uint64_t fresh_incarnation);
// After the last commit. Synced. `roots`: encode_roots() of what was committed.
Status end_session(engine::Store& store, uint64_t incarnation, Hlc clock,
                   std::string_view roots = {});

// The key of the clean-stop marker.
std::string clean_stop_key();
// The key of what begin_session() says of the store's owner. An earlier release refuses it.
std::string identity_key();

// Keeps the facts current that a session after a crash needs. Any thread.
class SessionFacts {
 public:
  // How far ahead of its readings the clock is reserved: a start after a crash begins there.
  static constexpr uint64_t kReservedMs = 500;

  // `sync`: a flush mark must survive a power cut before it counts as stored.
  SessionFacts(engine::Store* store, const cluster::HybridClock* clock, cluster::FlushMarks* marks,
               bool sync)
      : store_(store), clock_(clock), marks_(marks), sync_(sync) {}

  // Reserves the clock further when a reading comes near the end of what is reserved.
  Status keep_clock(uint64_t wall_ms);
  // Writes the flush marks when they were raised, then says so to them.
  Status keep_marks();
  // Synced: what the copies follow has to be known at the next start.
  Status keep_configurations(const std::vector<cluster::Configuration>& configurations);
  // The store may have lost what was written of them.
  Status write_again(uint64_t wall_ms);

 private:
  Status write_marks(uint64_t generation) KVORUM_REQUIRES(writing_marks_);

  engine::Store* store_;
  const cluster::HybridClock* clock_;
  cluster::FlushMarks* marks_;
  bool sync_;
  std::atomic<uint64_t> reserved_ms_{0};
  Mutex writing_marks_;  // one after the other: older marks must not replace later ones
};

}  // namespace kvorum::server
