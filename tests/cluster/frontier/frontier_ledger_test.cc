// SPDX-License-Identifier: Apache-2.0
// What a node can vouch for of its copies, and what becomes of that where owners come and go.
#include "cluster/frontier/frontier_ledger.h"

#include <gtest/gtest.h>

#include "tests/cluster/lone_history.h"

namespace kvorum::cluster::fixtures {
namespace {

constexpr uint64_t kRun = LoneCore::kIncarnation;

struct FrontierLedgerTest : ::testing::Test {
  // Of all keyspaces and partitions that this node owns, with each owner; but with that member.
  void exchange_all(MemberIndex but = kNoMember) {
    const Hlc began = lone.clock.tick(lone.now.wall_ms);
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
        if (!lone.view->is_owner(0, keyspace, partition)) continue;
        for (const MemberIndex owner : lone.view->owners(keyspace, partition)) {
          if (owner == 0 || owner == but) continue;
          ledger.note_clean({keyspace, partition, owner}, kRun, LoneCore::run_of(owner), began);
        }
      }
    }
    ledger.settle();
  }
  Hlc least() {
    std::vector<uint64_t> runs;
    for (MemberIndex member = 0; member < lone.view->members.size(); ++member) {
      runs.push_back(LoneCore::run_of(member));
    }
    open.reset();
    return ledger.least(kRun, runs, &open);
  }
  void write(uint32_t partition) {
    lone.pass_ms(10);
    const std::string name = lone.key_in(partition);
    const KeyRef key = lone.ref(name);
    lone.core.own.update(key, [&](Record& record) {
      Object arriving = lone.object_of(1, 5, "v");
      lone.core.own.merge_in(record, key, arriving, Hlc{});
      return true;
    });
    ledger.take_slices(lone.clock, lone.now);
  }
  void publish() {
    ledger.publish(*published, *lone.view);
    published = lone.view;
  }

  LoneHistory lone;
  std::shared_ptr<const ClusterView> published = lone.view;
  FrontierLedger ledger{*lone.view, &lone.table};
  std::optional<FrontierLedger::PeerCopy> open;
  const uint32_t gained = lone.partition_of_self(false), own = lone.partition_of_self(true);
};

TEST_F(FrontierLedgerTest, HoldsWhatTheNodeOwns) {
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    EXPECT_EQ(ledger.holds(2, partition), lone.view->is_owner(0, 2, partition));
  }
  lone.leave(1);
  publish();
  EXPECT_TRUE(ledger.holds(2, gained));
  lone.leave(0);
  lone.learn({Fact::settled(own, lone.newest())});
  publish();
  EXPECT_FALSE(ledger.holds(2, own));
}

TEST_F(FrontierLedgerTest, VouchesForNothingBeforeAllWereCompared) {
  EXPECT_EQ(least(), Hlc{});
  exchange_all(2);
  EXPECT_EQ(least(), Hlc{});
  ASSERT_TRUE(open);
  EXPECT_EQ(open->peer, 2);
  exchange_all();
  EXPECT_EQ(least(), kNoHlc);
  write(own);
  EXPECT_LT(least(), kNoHlc);
  EXPECT_GT(least(), Hlc{});
}

TEST_F(FrontierLedgerTest, OwnersThatComeHaveToBeCompared) {
  exchange_all();
  lone.leave(1);
  publish();
  EXPECT_EQ(least(), Hlc{});
  ASSERT_TRUE(open);
  exchange_all();
  EXPECT_EQ(least(), kNoHlc);
}

TEST_F(FrontierLedgerTest, WhatWasExchangedWithThoseThatStayCounts) {
  exchange_all();
  lone.touch();
  publish();
  EXPECT_EQ(least(), kNoHlc) << "nobody else owns anything";
}

TEST_F(FrontierLedgerTest, NobodyWaitsForOwnersThatWent) {
  exchange_all(1);
  EXPECT_EQ(least(), Hlc{});
  lone.remove(1);
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    lone.learn({Fact::settled(partition, lone.newest())});
  }
  publish();
  exchange_all(1);
  EXPECT_EQ(least(), kNoHlc);
}

// Writes that are not vouched for yet stay so where an owner comes or goes.
TEST_F(FrontierLedgerTest, WhatWasWrittenMeanwhileIsNotForgotten) {
  exchange_all();
  write(own);
  const Hlc before = least();
  ASSERT_LT(before, kNoHlc);
  lone.touch();
  publish();
  EXPECT_EQ(least(), before);
  exchange_all();
  EXPECT_EQ(least(), kNoHlc);
}

TEST_F(FrontierLedgerTest, WhatIsOwnedNoMoreIsNotVouchedFor) {
  exchange_all();
  write(own);
  ASSERT_LT(least(), kNoHlc);
  lone.leave(0);
  std::vector<Fact> facts;
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    facts.push_back(Fact::settled(partition, lone.newest()));
  }
  lone.learn(facts);
  publish();
  EXPECT_EQ(least(), kNoHlc) << "others do";
}

// ---- clean exchanges and the disk

TEST_F(FrontierLedgerTest, AnExchangeOfAnotherRunDoesNotCount) {
  exchange_all();
  ASSERT_EQ(least(), kNoHlc);
  const auto owners = lone.view->primaries(0, own);
  const MemberIndex other = owners[0] == 0 ? owners[1] : owners[0];
  ledger.note_clean({0, own, other}, kRun, 4711, lone.clock.tick(lone.now.wall_ms));
  ledger.settle();
  EXPECT_EQ(least(), Hlc{});
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
