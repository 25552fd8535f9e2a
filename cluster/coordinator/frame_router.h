// SPDX-License-Identifier: Apache-2.0
// Which machine of a coordinator a frame goes to: a table by its type. Private to cluster/; owned
// by the coordinator.
#pragma once

#include "cluster/coordinator/control.h"
#include "cluster/coordinator/machine_table.h"
#include "cluster/coordinator/request_runner.h"
#include "cluster/keyspace/keyspace_machine.h"
#include "cluster/membership/agreement_link.h"
#include "cluster/membership/gossip.h"
#include "cluster/membership/held_copies_link.h"
#include "cluster/repair/exchange_server.h"
#include "cluster/request/replica_service.h"

namespace kvorum::cluster {

class FrameRouter {
 public:
  // All outlive it.
  struct Machines {
    Core& core;
    const MachineTable& by_pool;
    RequestRunner& requests;
    ReplicaService& replicas;
    ExchangeServer& exchange_server;
    Gossip& gossip;
    AgreementLink& agreement_link;
    HistoryLink& histories;
    HeldCopiesLink& held_copies;
    KeyspaceMachine& keyspaces;
    Control* control;  // null: this coordinator has none
  };
  explicit FrameRouter(const Machines& to) : to_(to) {}

  // False where the frame is malformed, or of a type that no machine takes: then it is counted, and
  // nothing was done.
  bool on_message(LinkIndex from, const Frame& frame, Now now);

 private:
  struct Table;

  bool on_replica_read(LinkIndex from, const Frame& frame, Now now);
  bool on_replica_write(LinkIndex from, const Frame& frame, Now now);
  bool on_read_reply(MemberIndex from, const Frame& frame, Now now);
  bool on_write_reply(MemberIndex from, const Frame& frame, Now now);
  bool on_exchange(LinkIndex from, const Frame& frame, Now now);
  bool on_probe(LinkIndex from, const Frame& frame);
  bool on_probe_reply(MemberIndex from, const Frame& frame, Now now);
  void note_heard(MemberIndex from, SlotId answered, Now now);
  bool is_refused(LinkIndex from, const Frame& frame);

  const Machines to_;
};

}  // namespace kvorum::cluster
