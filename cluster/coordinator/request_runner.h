// SPDX-License-Identifier: Apache-2.0
// Requests of clients and those that other nodes forwarded: chooses who coordinates each, keeps its
// bytes, and begins what runs here at the machine of its kind. Owns these machines. Private to
// cluster/; owned by the coordinator.
//
//   submit --------> route --self--> gate --> get, put or inspect machine --> completion
//   on_forward --/        \--other--> Forwarding
#pragma once

#include "cluster/coordinator/coordination_gate.h"
#include "cluster/coordinator/request_table.h"
#include "cluster/machine/core.h"
#include "cluster/put/lone_puts.h"
#include "cluster/put/put_machine.h"
#include "cluster/request/forwarding.h"
#include "cluster/request/get_machine.h"
#include "cluster/request/inspect_machine.h"
#include "cluster/request/retry_permit.h"

namespace kvorum::cluster {

class RequestRunner final : public Starter {
 public:
  // Becomes the starter of the core, which outlives it.
  explicit RequestRunner(Core& core);
  RequestRunner(const RequestRunner&) = delete;

  void submit(const Request& request, uint64_t tag, Now now);
  // Frames about forwarded requests. False where one is malformed.
  bool on_forward(LinkIndex from, const Frame& frame, Now now);
  bool on_forward_reply(MemberIndex from, const Frame& frame, Now now) {
    return forwarding_.on_reply(from, frame, now);
  }
  bool on_forward_ask(MemberIndex from, const Frame& frame, Now now) {
    return retry_permit_.on_ask(from, frame, now);
  }
  bool on_forward_permit(LinkIndex from, const Frame& frame, Now now) {
    return retry_permit_.on_permit(from, frame, now);
  }
  // Core has another view than `earlier`: what is under way for partitions whose sets in play
  // changed begins anew.
  void on_view(const ClusterView& earlier, Now now);
  // What is held begins, unless it is held still.
  void set_coordination(Coordination coordination, Now now);

  // The inputs of operations go to the table; those of puts that need none, here.
  RequestTable& table() { return table_; }
  void on_committed(engine::Ticket ticket, bool ok, Now now) {
    lone_puts_.on_committed(ticket, ok, now);
  }
  void on_time(Now now) { lone_puts_.on_time(now); }
  uint64_t next_deadline_us() const { return lone_puts_.next_deadline_us(); }
  // Puts without an operation that wait for their commit.
  size_t lone_puts() const { return lone_puts_.waiting(); }
  // Edits that this node coordinates, and whose outcome is not known yet.
  size_t unfinished_edits() const;

  // Starter
  void run_at(MemberIndex coordinator, SlotId id, Operation& operation, Now now) override;
  void on_unreadable(SlotId id, Operation& operation, Now now) override;
  void on_misplaced(SlotId id, Operation& operation, Now now) override;
  void choose_anew(SlotId id, Operation& operation, Now now) override;

 private:
  void start(SlotId id, Operation& operation, Now now);
  Operation& begin(const Request& request, uint64_t tag, Now now, SlotId* id);
  void answer_local(const Request& request, uint64_t tag, Now now);
  void refuse(const Request& request, uint64_t tag, Outcome outcome, std::string_view text = {});
  void refuse_forwarded(SlotId id, Operation& operation, std::string_view reason, Now now);

  Core& core_;
  ReadRepair repairs_;
  QuorumRead reads_;
  GetMachine gets_;
  EditRunner edits_;
  PutMachine puts_;
  LonePuts lone_puts_;
  InspectMachine inspections_;
  Forwarding forwarding_;
  RetryPermit retry_permit_;
  CoordinationGate gate_;
  RequestTable table_;  // of the five kinds, in the order of Operation::Kind
};

}  // namespace kvorum::cluster
