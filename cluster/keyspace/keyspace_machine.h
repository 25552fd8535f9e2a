// SPDX-License-Identifier: Apache-2.0
// The keyspace machine: operations on a whole keyspace over all nodes, and this node's part in
// those of others. SCAN (scan_operation.h, scan_server.h), DBSIZE (count_operation.h), FLUSHDB and
// FLUSHALL (flush_operation.h), giving memory back after a flush (mark_sweeper.h), and the texts of
// all nodes (text_operations.h). A pure state
// machine owned by each Coordinator, which passes it frames of types 32 and up and the same inputs
// as it gets itself; not thread-safe. What the machines of a node share stands in NodeParts.
//
// A flush is acknowledged when its marks are stored: the shell watches FlushMarks::generation() and
// says FlushMarks::set_stored(), at once where nothing outlives the process.
#pragma once

#include <memory>

#include "cluster/keyspace/count_operation.h"
#include "cluster/keyspace/flush_operation.h"
#include "cluster/keyspace/keyspace_core.h"
#include "cluster/keyspace/mark_sweeper.h"
#include "cluster/keyspace/scan_operation.h"
#include "cluster/keyspace/scan_server.h"
#include "cluster/keyspace/text_operations.h"
#include "cluster/own/scan_page.h"

namespace kvorum::cluster {

class KeyspaceMachine {
 public:
  KeyspaceMachine(const NodeParts& parts, Outbox& outbox, const KeyspaceOptions& options);
  KeyspaceMachine(const KeyspaceMachine&) = delete;

  void set_sink(KeyspaceSink* sink) { core_.sink = sink; }
  void set_timeout_ms(uint32_t timeout_ms) { core_.options.timeout_ms = timeout_ms; }
  // Members keep their index and their links; new ones start unlinked.
  void publish(std::shared_ptr<const ClusterView> view);

  void submit(const KeyspaceRequest& request, uint64_t tag, Now now);
  // The link to a peer came up or broke. One that came up gets this node's flush marks.
  void on_peer(MemberIndex peer, bool up, Now now, uint16_t version = kProtocolVersion);
  // False where the frame is malformed or of no type that belongs here.
  bool on_message(LinkIndex from, const Frame& frame, Now now);
  // The answer to one of Outbox::range_loads, from read_stored_page().
  void on_scanned(SlotId operation, const ScanPage& page, Now now);
  void on_time(Now now);
  // Steady microseconds of the next on_time() that matters; 0: none.
  uint64_t next_deadline_us();
  // Asked here and served for others, and marks of others that are not stored yet.
  size_t open_operations() const;

 private:
  bool refuses(const KeyspaceRequest& request, uint64_t tag) const;
  bool on_scan(LinkIndex from, const Frame& frame);
  bool on_scan_reply(MemberIndex from, const Frame& frame, Now now);
  bool on_flush_clocks_reply(MemberIndex from, const Frame& frame, Now now);
  // A raise is claimed by whichever machine of the node looks first, as a rule the one that made
  // it.
  void look(Now now) { sweeper_.look(now); }

  KeyspaceCore core_;
  ScanServer scan_server_;
  ScanOperations scans_;
  CountOperations counts_;
  FlushOperations flushes_;
  TextOperations texts_;
  MarkSweeper sweeper_;
};

}  // namespace kvorum::cluster
