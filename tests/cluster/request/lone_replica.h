// SPDX-License-Identifier: Apache-2.0
// A replica service alone, and the coordinators that a test plays for it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cluster/request/replica_service.h"
#include "cluster/version/context.h"
#include "tests/cluster/lone_core.h"

namespace kvorum::cluster::fixtures {

// What a ReplicaWrite says beside its object.
struct TestWrite {
  std::string_view key = "k";
  bool blind = false, repair = false, second = false, late = false;
  NodeId hint_for = 0;
  Hlc frontier = {};
  NodeId releases = 0;
  uint8_t attempt = 0;
  uint64_t signature = 0;
};

struct LoneReplica : LoneCore {
  explicit LoneReplica(const LoneShape& shape = {}) : LoneCore(shape) {}

  Frame read_frame(const ReplicaRead& message, SlotId operation = 9) {
    return made([&](std::string& batch) { put_replica_read(batch, operation, message); });
  }
  Frame write_frame(const TestWrite& write, const Object& object, SlotId operation = 9) {
    std::string bytes;
    encode_object(object, bytes);
    const ReplicaWrite message{.key = ref(write.key),
                               .blind = write.blind,
                               .repair = write.repair,
                               .second = write.second,
                               .late = write.late,
                               .hint_for = write.hint_for,
                               .frontier = write.frontier,
                               .releases = write.releases,
                               .attempt = write.attempt,
                               .signature = write.signature,
                               .object = bytes};
    return made([&](std::string& batch) { put_replica_write(batch, operation, message); });
  }
  Frame unclaim_frame(std::string_view key, const Unclaim& message, SlotId operation = 9) {
    Unclaim placed = message;
    placed.position = ref(key).position;
    return made([&](std::string& batch) { put_unclaim(batch, operation, placed); });
  }

  // From member 1, answered at once.
  ReplicaReadReply read(const ReplicaRead& message) {
    EXPECT_TRUE(service.on_read(1, read_frame(message), now));
    return parsed(only(1), parse_replica_read_reply);
  }
  ReplicaWriteReply write(const TestWrite& message, const Object& object) {
    EXPECT_TRUE(service.on_write(1, write_frame(message, object), now));
    return parsed(only(1), parse_replica_write_reply);
  }
  // The claim of a member that goes on to edit.
  ReplicaReadReply claim(MemberIndex member, SlotId operation = 9, uint8_t attempt = 0) {
    const ReplicaRead message{
        .key = ref("k"), .attempt = attempt, .claimant = id_of(member), .claim_ms = 300};
    EXPECT_TRUE(service.on_read(member, read_frame(message, operation), now));
    return parsed(only(member), parse_replica_read_reply);
  }
  void unclaim(MemberIndex member, SlotId operation = 9, uint8_t attempt = 0) {
    const Unclaim message{.position = {}, .claimant = id_of(member), .attempt = attempt};
    EXPECT_TRUE(service.on_unclaim(member, unclaim_frame("k", message, operation), now));
    EXPECT_TRUE(sent_nothing()) << "nobody waits for an answer";
  }
  MemberIndex holder() const { return claims.holder(ref("k").position, now.steady_us / 1000); }

  // The store has read what the first frame waits for, or could not.
  void end_load(bool ok) {
    ASSERT_FALSE(core.outbox.loads.empty());
    const Load load = core.outbox.loads.front();
    core.outbox.loads.erase(core.outbox.loads.begin());
    if (ok) {
      ASSERT_TRUE(table.store_reader().load(load.ref()).ok());
    }
    service.on_loaded(load.operation, ok, now);
  }
  // Tells the service; the operations of this node that waited, too.
  std::vector<SlotId> commit_to(std::deque<AwaitedCommit>& waiting, engine::Ticket ticket,
                                bool ok = true) {
    std::vector<SlotId> own_votes;
    service.on_committed(waiting, {ticket, ok}, [&](SlotId id) { own_votes.push_back(id); });
    return own_votes;
  }

  ReplicaService service{core};
};

}  // namespace kvorum::cluster::fixtures
