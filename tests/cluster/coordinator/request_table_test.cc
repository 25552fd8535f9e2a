// SPDX-License-Identifier: Apache-2.0
// Which machine an input goes to, and what the answer says of the peer that gave it.
#include "cluster/coordinator/request_table.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_requests.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = Operation::Kind;

// Notes what it is given.
struct NotedMachine final : RequestMachine {
  void note(std::string what, SlotId id) { seen.push_back(std::move(what)), last = id; }
  void on_read_reply(SlotId id, Operation&, const Answered<ReplicaReadReply>&, Now) override {
    note("read", id);
  }
  void on_write_reply(SlotId id, Operation&, const Answered<ReplicaWriteReply>&, Now) override {
    note("write", id);
  }
  void on_own_commit(SlotId id, Operation&, OwnCommit commit, Now) override {
    note(commit.ok ? "commit" : "no commit", id);
  }
  void on_loaded(SlotId id, Operation&, bool ok, Now) override {
    note(ok ? "loaded" : "not loaded", id);
  }
  void on_timer(SlotId id, Operation&, Now) override { note("timer", id); }
  void on_link_down(SlotId id, Operation&, MemberIndex peer, Now) override {
    note("down " + std::to_string(peer), id);
  }
  std::vector<std::string> seen;
  SlotId last = 0;
};

class Table : public ::testing::Test {
 protected:
  Table() { lone.link_all(); }
  SlotId begin(Kind kind) { return lone.acquire(kind, lone.get()); }
  NotedMachine& of(Kind kind) { return machines[static_cast<size_t>(kind)]; }
  void read_reply(SlotId id, MemberIndex from = 1) {
    table.on_read_reply(id, {from, ReplicaReadReply{}}, lone.now);
  }
  void write_reply(SlotId id, MemberIndex from = 1) {
    table.on_write_reply(id, {from, ReplicaWriteReply{}}, lone.now);
  }
  PeerReport report(MemberIndex peer = 1) { return lone.core.health.report(peer); }

  LoneRequests lone;
  std::array<NotedMachine, Operation::kKinds> machines;
  RequestTable table{lone.core,
                     {&machines[0], &machines[1], &machines[2], &machines[3], &machines[4]}};
};

TEST_F(Table, EachKindHasItsMachine) {
  for (const Kind kind :
       {Kind::kGet, Kind::kPut, Kind::kForward, Kind::kInspect, Kind::kAwaitsPermit}) {
    const SlotId id = begin(kind);
    read_reply(id);
    write_reply(id);
    table.on_own_commit(id, {.hinted = false, .ok = true}, lone.now);
    table.on_timer(id, lone.now);
    EXPECT_THAT(of(kind).seen, ElementsAre("read", "write", "commit", "timer"));
    EXPECT_EQ(of(kind).last, id);
  }
  EXPECT_EQ(table.open(), 5u);
}

TEST_F(Table, WhatIsOverIsIgnoredButASignOfLife) {
  const SlotId id = begin(Kind::kGet);
  lone.core.open.release(id);
  lone.pass_ms(1);
  read_reply(id);
  EXPECT_EQ(report().heard_us, lone.now.steady_us);
  lone.pass_ms(1);
  write_reply(id);
  EXPECT_EQ(report().heard_us, lone.now.steady_us);
  table.on_own_commit(id, {.hinted = false, .ok = true}, lone.now);
  table.on_loaded(id, true, lone.now);
  table.on_timer(id, lone.now);
  table.on_flow(id, lone.now);
  EXPECT_THAT(of(Kind::kGet).seen, IsEmpty());
}

TEST_F(Table, ALoadGoesToWhoeverWaitsForOne) {
  const SlotId id = begin(Kind::kPut);
  table.on_loaded(id, true, lone.now);
  EXPECT_THAT(of(Kind::kPut).seen, IsEmpty());
  lone.of(id).phase = Operation::Phase::kLoading;
  table.on_loaded(id, false, lone.now);
  EXPECT_THAT(of(Kind::kPut).seen, ElementsAre("not loaded"));
}

TEST_F(Table, ABrokenLinkGoesToAll) {
  begin(Kind::kGet);
  begin(Kind::kForward);
  table.on_link_down(2, lone.now);
  EXPECT_THAT(of(Kind::kGet).seen, ElementsAre("down 2"));
  EXPECT_THAT(of(Kind::kForward).seen, ElementsAre("down 2"));
}

TEST_F(Table, FlowGivesTheOperationMoreTime) {
  const SlotId id = begin(Kind::kGet);
  lone.pass_ms(300);
  table.on_flow(id, lone.now);
  EXPECT_EQ(lone.of(id).flowed_us, lone.now.steady_us);
  EXPECT_EQ(lone.of(id).deadline_us, lone.now.steady_us + 1'000'000);
}

TEST_F(Table, AStopDoesNotWaitForReadsThatWereAnswered) {
  const SlotId get = begin(Kind::kGet);
  const SlotId put = begin(Kind::kPut);
  EXPECT_EQ(table.unfinished(), 2u);
  lone.of(get).answered_client = true;
  lone.of(put).answered_client = true;
  EXPECT_EQ(table.unfinished(), 1u);
}

// ---- latency

TEST_F(Table, TheTimeOfAReadIsNotedForWhoWasAsked) {
  const SlotId id = begin(Kind::kGet);
  lone.of(id).reading.tally.targets.push_back({.member = 1, .asked_us = lone.now.steady_us});
  lone.pass_ms(8);
  read_reply(id, 2);
  EXPECT_EQ(report(2).read_us, 0u) << "it was not asked";
  EXPECT_EQ(report(2).heard_us, lone.now.steady_us);
  read_reply(id);
  EXPECT_EQ(report().read_us, 8000u);
  EXPECT_EQ(report().write_us, 0u);
}

TEST_F(Table, OfAStandInNoTimeIsKept) {
  const SlotId id = begin(Kind::kGet);
  lone.of(id).reading.tally.targets.push_back({.member = 1, .stands_for = 2});
  lone.pass_ms(8);
  read_reply(id);
  EXPECT_EQ(report().read_us, 0u);
  EXPECT_EQ(report().heard_us, lone.now.steady_us);
}

TEST_F(Table, TheTimeOfAWriteIsThatOfTheWritesTargets) {
  const SlotId id = begin(Kind::kPut);
  Operation& operation = lone.of(id);
  operation.reading.tally.targets.push_back({.member = 1, .asked_us = lone.now.steady_us});
  lone.pass_ms(8);
  operation.phase = Operation::Phase::kWriting;
  operation.writing.tally.targets.push_back({.member = 1, .asked_us = lone.now.steady_us});
  lone.pass_ms(5);
  write_reply(id);
  EXPECT_EQ(report().write_us, 5000u);
  EXPECT_EQ(report().read_us, 0u);
}

TEST_F(Table, TheTimeOfALargeObjectSaysNothing) {
  const SlotId id = begin(Kind::kGet);
  lone.of(id).reading.tally.targets.push_back({.member = 1, .asked_us = lone.now.steady_us});
  lone.pass_ms(8);
  table.on_flow(id, lone.now);
  read_reply(id);
  EXPECT_EQ(report().read_us, 0u);
}

TEST_F(Table, OfARepairNoTimeIsKept) {
  const SlotId id = begin(Kind::kGet);
  lone.of(id).reading.tally.targets.push_back({.member = 1, .asked_us = lone.now.steady_us});
  lone.of(id).phase = Operation::Phase::kRepairing;
  lone.pass_ms(8);
  write_reply(id);
  EXPECT_EQ(report().write_us, 0u);
  EXPECT_THAT(of(Kind::kGet).seen, ElementsAre("write"));
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
