// SPDX-License-Identifier: Apache-2.0
// KV.INSPECT alone: one row for each primary, whatever becomes of it.
#include "cluster/request/inspect_machine.h"

#include <gmock/gmock.h>

#include "base/check.h"
#include "tests/cluster/lone_requests.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Inspections : public ::testing::Test {
 protected:
  explicit Inspections(const LoneShape& shape = {.members = 5}, size_t place = 1) : lone(shape) {
    lone.stand_at(place);
    lone.link_all();
  }
  void start() {
    Request request = lone.get();
    request.kind = Request::Kind::kInspect;
    id = lone.acquire(Operation::Kind::kInspect, request, 5);
    machine.start(id, lone.of(id), lone.now);
  }
  void reply(size_t place, const ReplicaReadReply& reply) {
    lone.read_reply(machine, id, {lone.at(place), reply});
  }
  Object one() const { return lone.object_of(1, 1, "a"); }
  Object two() const { return merge(one(), lone.object_of(2, 2, "b")); }

  LoneRequests lone;
  InspectMachine machine{lone.core};
  SlotId id = 0;
};

TEST_F(Inspections, EveryPrimarysWholeObjectHasItsRow) {
  lone.put(lone.key, one());
  start();
  EXPECT_TRUE(lone.asked(lone.at(0)).full);
  EXPECT_FALSE(lone.asked(lone.at(2)).hinted);
  EXPECT_TRUE(lone.sent_nothing()) << "fallbacks are not asked";
  reply(2, lone.full(two()));
  EXPECT_THAT(lone.answers, IsEmpty());
  reply(0, LoneRequests::verdict(ReplicaVerdict::kAbsent));
  const NotedAnswer answer = lone.answer();
  EXPECT_EQ(answer.tag, 5u);
  EXPECT_THAT(answer.rows,
              ElementsAre(lone.id_of(lone.at(0)), lone.id_of(0), lone.id_of(lone.at(2))));
  EXPECT_THAT(answer.rows_answered, ElementsAre(true, true, true));
  EXPECT_THAT(answer.rows_versions, ElementsAre(0u, 1u, 2u));
  EXPECT_EQ(answer.service.primaries, 3);
  EXPECT_TRUE(lone.ended(id));
}

TEST_F(Inspections, WhoRefusesOrSpeaksNonsenseHasARowWithoutAnAnswer) {
  start();
  reply(0, LoneRequests::verdict(ReplicaVerdict::kRefused));
  ReplicaReadReply broken = lone.full(one());
  broken.object = "no object";
  reply(2, broken);
  EXPECT_THAT(lone.answer().rows_answered, ElementsAre(false, true, false));
  EXPECT_EQ(lone.answer().service.answered, 1);
}

TEST_F(Inspections, WhoIsSilentIsAwaitedForAQuarter) {
  start();
  reply(2, lone.full(one()));
  lone.live_ms(machine, 249);
  EXPECT_THAT(lone.answers, IsEmpty());
  lone.live_ms(machine, 1);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_THAT(lone.answer().rows_answered, ElementsAre(false, true, true));
  EXPECT_TRUE(lone.ended(id));
  reply(0, lone.full(one()));
  EXPECT_EQ(lone.answers.size(), 1u);
}

TEST_F(Inspections, ASecondAnswerOfOneIsNotAnothersRow) {
  start();
  reply(2, lone.full(one()));
  reply(2, lone.full(two()));
  EXPECT_THAT(lone.answers, IsEmpty());
  reply(0, lone.full(one()));
  EXPECT_THAT(lone.answer().rows_versions, ElementsAre(1u, 0u, 1u));
}

TEST_F(Inspections, WhoIsNotLinkedIsNotAwaited) {
  lone.link(lone.at(0), false);
  start();
  EXPECT_TRUE(lone.sent(lone.at(0)).empty());
  reply(2, lone.full(one()));
  EXPECT_THAT(lone.answer().rows_answered, ElementsAre(false, true, true));
}

TEST_F(Inspections, OfNobodyElseItEndsAtOnce) {
  lone.link(lone.at(0), false);
  lone.link(lone.at(2), false);
  start();
  EXPECT_THAT(lone.answer().rows_answered, ElementsAre(false, true, false));
  EXPECT_TRUE(lone.ended(id));
}

struct FarInspections : Inspections {
  FarInspections() : Inspections({.members = 5}, 4) {}
};

TEST_F(FarInspections, WhoIsNoPrimaryHasNoRow) {
  lone.put(lone.key, one());
  start();
  for (size_t place = 0; place < 3; ++place) reply(place, lone.full({}));
  EXPECT_THAT(lone.answer().rows_versions, ElementsAre(0u, 0u, 0u));
}

struct InspectedStore {
  InspectedStore() {
    LoneRequests before({.members = 5, .store = &store});
    before.stand_at(1);
    before.put(before.key, before.object_of(1, 1, "a"));
    before.put(before.key_in(0, 50), before.object_of(1, 1, "fills the memory"));
    KVORUM_CHECK(before.table.commits().commit(true).ok());
  }
  engine::testing::MapStore store;
};
struct LoadingInspections : InspectedStore, Inspections {
  LoadingInspections() : Inspections({.members = 5, .store = &store, .memory_bytes_max = 1}) {}
};

TEST_F(LoadingInspections, TheOwnRowWaitsForItsObject) {
  start();
  ASSERT_EQ(lone.core.outbox.loads.size(), 1u);
  reply(0, lone.full(two()));
  EXPECT_THAT(lone.answers, IsEmpty());
  ASSERT_TRUE(lone.table.store_reader().load(lone.core.outbox.loads[0].ref()).ok());
  machine.on_loaded(id, lone.of(id), true, lone.now);
  reply(0, lone.full(two()));
  reply(2, lone.full(one()));
  EXPECT_THAT(lone.answer().rows_versions, ElementsAre(2u, 1u, 1u));
}

TEST_F(LoadingInspections, WhatCannotBeLoadedAnotherOneMayShow) {
  start();
  machine.on_loaded(id, lone.of(id), false, lone.now);
  EXPECT_THAT(lone.unreadable, ElementsAre(id));
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
