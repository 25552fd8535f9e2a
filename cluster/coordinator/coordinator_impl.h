// SPDX-License-Identifier: Apache-2.0
// The machines of one coordinator side by side. Private to cluster/: only the coordinator*.cc files
// include it.
#pragma once

#include <array>

#include "cluster/coordinator/coordinator.h"
#include "cluster/coordinator/request_table.h"
#include "cluster/keyspace/keyspace_machine.h"
#include "cluster/machine/core.h"
#include "cluster/membership/agreement_link.h"
#include "cluster/membership/gossip.h"
#include "cluster/put/lone_puts.h"
#include "cluster/put/put_machine.h"
#include "cluster/repair/anti_entropy.h"
#include "cluster/repair/exchange_server.h"
#include "cluster/repair/hint_replay.h"
#include "cluster/repair/key_repair.h"
#include "cluster/repair/tree_keeper.h"
#include "cluster/request/forwarding.h"
#include "cluster/request/get_machine.h"
#include "cluster/request/inspect_machine.h"
#include "cluster/request/replica_service.h"
#include "cluster/request/retry_permit.h"

namespace kvorum::cluster {

struct Coordinator::Impl final : Starter {
  Impl(const NodeParts& parts, std::shared_ptr<const ClusterView> view,
       const CoordinatorOptions& options, uint64_t rng_seed)
      : core(parts, std::move(view), options, rng_seed),
        repairs(core),
        reads(core),
        gets(core, reads, repairs),
        edits(core),
        puts(core, reads, edits),
        lone_puts(core, edits),
        inspections(core),
        forwarding(core),
        retry_permit(core, forwarding),
        requests(core, {&gets, &puts, &forwarding, &inspections, &retry_permit}),
        replicas(core),
        hint_replay(core),
        key_repair(core),
        anti_entropy(core, key_repair),
        exchange_server(core),
        tree_keeper(core, anti_entropy),
        gossip(core),
        agreement_link(core),
        keyspaces(parts, core.outbox, {.timeout_ms = options.request_timeout_ms}) {
    core.starter = this;
    keyspaces.publish(core.view);
  }

  void submit(const Request& request, uint64_t tag, Now now);
  void answer_local(const Request& request, uint64_t tag, Now now);
  void refuse_keyspace(const Request& request, uint64_t tag);
  void refuse(const Request& request, uint64_t tag, Outcome outcome);
  void run_at(MemberIndex coordinator, SlotId id, Operation& operation, Now now) override;
  static void own_request(Operation& operation);
  static void encode_request(Operation& operation);
  void start(SlotId id, Operation& operation, Now now);
  bool turned_away(SlotId id, Operation& operation, Now now);
  bool handed_back(SlotId id, Operation& operation, Now now);
  bool on_forward(LinkIndex from, const Frame& frame, Now now);
  bool on_read_reply(MemberIndex from, const Frame& frame, Now now);
  bool on_write_reply(MemberIndex from, const Frame& frame, Now now);
  void on_unreadable(SlotId id, Operation& operation, Now now) override;
  void on_own_commit(SlotId id, OwnCommit commit, Now now);
  void refuse_forwarded(SlotId id, Operation& operation, Now now);
  bool on_other(LinkIndex from, const Frame& frame, Now now);
  void notice_stall(Now now);
  void probe_peers(Now now);
  void expire(Now now);

  static OperationPool pool_of(SlotId id) { return static_cast<OperationPool>(slot_tag(id)); }
  // Null for ids that no pool gave.
  Machine* machine_of(SlotId id) const {
    const uint8_t pool = slot_tag(id);
    return pool < kOperationPools ? machines[pool] : nullptr;
  }

  Core core;
  ReadRepair repairs;
  QuorumRead reads;
  GetMachine gets;
  EditRunner edits;
  PutMachine puts;
  LonePuts lone_puts;
  InspectMachine inspections;
  Forwarding forwarding;
  RetryPermit retry_permit;
  RequestTable requests;  // of the five kinds, in the order of Operation::Kind
  ReplicaService replicas;
  HintReplay hint_replay;
  KeyRepair key_repair;
  AntiEntropy anti_entropy;
  ExchangeServer exchange_server;
  TreeKeeper tree_keeper;
  Gossip gossip;
  AgreementLink agreement_link;
  KeyspaceMachine keyspaces;
  // By OperationPool.
  const std::array<Machine*, kOperationPools> machines{&requests, &replicas, &hint_replay,
                                                       &key_repair};
  uint64_t expiry_due_us = 0;
  Now last_now;
};

}  // namespace kvorum::cluster
