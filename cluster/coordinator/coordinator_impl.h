// SPDX-License-Identifier: Apache-2.0
// The machines of one coordinator side by side. Private to cluster/: only the coordinator*.cc files
// include it.
#pragma once

#include <array>
#include <optional>

#include "cluster/coordinator/control.h"
#include "cluster/coordinator/coordinator.h"
#include "cluster/coordinator/request_table.h"
#include "cluster/keyspace/keyspace_machine.h"
#include "cluster/machine/core.h"
#include "cluster/membership/agreement_link.h"
#include "cluster/membership/gossip.h"
#include "cluster/put/lone_puts.h"
#include "cluster/put/put_machine.h"
#include "cluster/repair/exchange_server.h"
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
        exchange_server(core),
        gossip(core),
        agreement_link(core),
        keyspaces(parts, core.outbox, {.timeout_ms = options.request_timeout_ms}) {
    core.starter = this;
    if (options.has_control) control.emplace(core, gossip, agreement_link);
    if (control) {
      machines[static_cast<size_t>(OperationPool::kHintReplays)] = &control->hint_replay();
      machines[static_cast<size_t>(OperationPool::kKeyRepairs)] = &control->key_repair();
    }
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

  static OperationPool pool_of(SlotId id) { return static_cast<OperationPool>(slot_tag(id)); }
  // Null for ids that no pool of this coordinator gave.
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
  ExchangeServer exchange_server;
  Gossip gossip;
  AgreementLink agreement_link;
  KeyspaceMachine keyspaces;
  std::optional<Control> control;
  // By OperationPool; those of the control are null without one.
  std::array<Machine*, kOperationPools> machines{&requests, &replicas};
};

}  // namespace kvorum::cluster
