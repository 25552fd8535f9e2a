// SPDX-License-Identifier: Apache-2.0
// The machine of puts alone. A test plays the other replicas.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "cluster/put/put_machine.h"
#include "tests/cluster/lone_requests.h"

namespace kvorum::cluster::fixtures {

class LonePutMachine : public ::testing::Test {
 protected:
  using Phase = Operation::Phase;

  explicit LonePutMachine(const LoneShape& shape = {}) : lone(shape) {
    lone.stand_at(0);
    lone.link_all();
  }

  void start(const Request& request) {
    id = lone.acquire(Operation::Kind::kPut, request, 5);
    machine.start(id, lone.of(id), lone.now);
  }
  // Blind, so that the first primary writes at once.
  void set(std::string_view value = "new") { start(lone.edit(test_edits::kSet, value)); }
  // By a client that has read this: what it does not cover becomes a sibling.
  void set_knowing(const Context& context) {
    known = context;
    Request request = lone.edit(test_edits::kSet);
    request.has_context = true;
    request.context = &known;
    start(request);
  }
  void increment() { start(lone.edit(test_edits::kIncrement)); }
  void set_with_w(uint8_t w) {
    Request request = lone.edit(test_edits::kSet);
    request.w = w;
    request.strict_w = true;
    start(request);
  }
  void read_reply(MemberIndex from, const ReplicaReadReply& reply) {
    lone.read_reply(machine, id, {from, reply});
  }
  void write_reply(MemberIndex from, const ReplicaWriteReply& reply = LoneRequests::written()) {
    lone.write_reply(machine, id, {from, reply});
  }
  void refuse(MemberIndex from) { write_reply(from, LoneRequests::written(Verdict::kRefused)); }
  void link_down(size_t place) { lone.link_down(machine, id, lone.at(place)); }
  void live_ms(uint64_t ms) { lone.live_ms(machine, ms); }
  void forget_frames() {
    for (size_t place = 0; place < lone.view->members.size(); ++place) lone.sent(lone.at(place));
  }
  bool has_hint_for(MemberIndex member) {
    bool found = false;
    lone.hints.read({lone.id_of(member), lone.ref(lone.key)},
                    [&](const Record& record) { found = !record.object.versions.empty(); });
    return found;
  }
  Operation& operation() { return lone.of(id); }
  Phase phase() { return operation().phase; }
  const CoordinatorCounters& counters() const { return lone.core.counters; }

  using Verdict = ReplicaVerdict;
  LoneRequests lone;
  QuorumRead reads{lone.core};
  EditRunner edits{lone.core};
  PutMachine machine{lone.core, reads, edits};
  SlotId id = 0;
  Context known;
};

}  // namespace kvorum::cluster::fixtures
