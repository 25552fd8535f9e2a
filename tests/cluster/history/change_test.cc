// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/change.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "base/rng.h"
#include "cluster/ring/placement.h"
#include "tests/cluster/random_history.h"

namespace kvorum::cluster {
namespace {

using fixtures::HistoryDraw;
using fixtures::make_change;
using fixtures::make_founding;
using fixtures::make_join;

std::string bytes_of(const Change& change) {
  std::string bytes;
  encode_change(change, bytes);
  return bytes;
}

Change full_join() {
  Change change = make_join(7, 100, "m0");
  Member& member = change.described;
  member.peer = {"10.0.0.1", 1};
  member.redis = {"10.0.0.1", 2};
  member.memcached = {"10.0.0.1", 3};
  member.admin = {"::1", 4};
  member.weight = 5;
  member.rack = "r";
  member.zone = "z";
  return change;
}

TEST(Change, EveryKindComesBack) {
  const History history(make_founding(3));
  HistoryDraw draw(1, 9);
  std::set<ChangeKind> met;
  for (int round = 0; round < 500; ++round) {
    const Change change = draw.change(history);
    met.insert(change.kind);
    const std::string bytes = bytes_of(change) + "more";
    ByteReader reader(bytes);
    Change decoded;
    ASSERT_TRUE(decode_change(reader, &decoded));
    EXPECT_EQ(reader.rest(), "more");
    EXPECT_EQ(decoded.id, change.id);
    EXPECT_EQ(decoded.kind, change.kind);
    EXPECT_EQ(bytes_of(decoded), bytes_of(change));
    EXPECT_EQ(decoded.hash(), change.hash());
  }
  EXPECT_EQ(met.size(), 9U);
}

TEST(Change, WhoJoinsComesBackWhole) {
  const Change change = full_join();
  const std::string bytes = bytes_of(change);
  ByteReader reader(bytes);
  Change decoded;
  ASSERT_TRUE(decode_change(reader, &decoded));
  EXPECT_EQ(decoded.described.id, 100U);
  EXPECT_EQ(decoded.described.name, "m0");
  EXPECT_EQ(decoded.described.admin, (Endpoint{"::1", 4}));
  EXPECT_EQ(decoded.described.memcached, (Endpoint{"10.0.0.1", 3}));
  EXPECT_EQ(decoded.described.weight, 5U);
  EXPECT_EQ(decoded.described.rack + decoded.described.zone, "rz");
}

TEST(Change, EverythingInItIsHashed) {
  std::set<uint64_t> hashes{full_join().hash()};
  const std::vector<std::function<void(Change&)>> differences = {
      [](Change& change) { change.id.hlc = Hlc{8}; },
      [](Change& change) { change.id.origin = 2; },
      [](Change& change) { change.kind = ChangeKind::kReplace; },
      [](Change& change) { change.described.id = 101; },
      [](Change& change) { change.described.name = "m1"; },
      [](Change& change) { change.described.redis.port = 9; },
      [](Change& change) { change.described.weight = 6; },
      [](Change& change) { change.described.zone = "r"; },
  };
  for (const auto& differ : differences) {
    Change change = full_join();
    differ(change);
    hashes.insert(change.hash());
  }
  EXPECT_EQ(hashes.size(), differences.size() + 1);
}

TEST(Change, WhatItsKindDoesNotNeedIsNotHashed) {
  const Change change = make_change(7, ChangeKind::kLeave, 100);
  Change other = change;
  other.described.name = "m1";
  other.policy.n = 5;
  EXPECT_EQ(other.hash(), change.hash());
}

TEST(Change, ComesAfterAllThatItsAuthorKnew) {
  const ChangeId early{Hlc{5}, 9}, late{Hlc{6}, 1}, late_too{Hlc{6}, 2};
  EXPECT_LT(early, late);
  EXPECT_LT(late, late_too);
}

TEST(Change, TruncatedBytesAreRefused) {
  Change policy = make_change(7, ChangeKind::kPolicy, 0);
  policy.policy.name = "sessions";
  Change placement = make_change(7, ChangeKind::kPlacement, 0);
  placement.placement = kPlacementMended;
  for (const Change& change :
       {full_join(), policy, placement, make_change(7, ChangeKind::kWeight, 100)}) {
    const std::string bytes = bytes_of(change);
    for (size_t size = 0; size < bytes.size(); ++size) {
      ByteReader reader(std::string_view(bytes).substr(0, size));
      Change decoded;
      EXPECT_FALSE(decode_change(reader, &decoded)) << size;
    }
  }
}

TEST(Change, WhatMakesNoSenseIsRefused) {
  const std::vector<std::function<void(Change&)>> faults = {
      [](Change& change) { change.kind = static_cast<ChangeKind>(10); },
      [](Change& change) { change.described.id = 0; },
      [](Change& change) { change.described.name = ""; },
      [](Change& change) { change.described.name = std::string(513, 'x'); },
      [](Change& change) { change.described.peer.host = std::string(513, 'x'); },
      [](Change& change) { change.described.weight = 0; },
      [](Change& change) { change.kind = ChangeKind::kReplace, change.member = 0; },
      [](Change& change) { change.kind = ChangeKind::kLeave, change.member = 0; },
      [](Change& change) { change.kind = ChangeKind::kPolicy, change.policy.n = 0; },
      [](Change& change) { change.kind = ChangeKind::kPolicy, change.policy.w = 0; },
      [](Change& change) { change.kind = ChangeKind::kPolicy, change.policy.db = kKeyspacesMax; },
      [](Change& change) { change.kind = ChangeKind::kPlacement, change.placement = 0; },
      [](Change& change) { change.kind = ChangeKind::kPlacement, change.placement = 1; },
      [](Change& change) { change.kind = ChangeKind::kPlacement, change.placement = 3; },
  };
  for (size_t fault = 0; fault < faults.size(); ++fault) {
    Change change = full_join();
    faults[fault](change);
    const std::string bytes = bytes_of(change);
    ByteReader reader(bytes);
    Change decoded;
    EXPECT_FALSE(decode_change(reader, &decoded)) << fault;
  }
}

TEST(Change, RandomBytesNeverCrash) {
  Rng rng(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = bytes_of(full_join());
    for (int flips = 0; flips < 3; ++flips) {
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    }
    ByteReader reader(bytes);
    Change decoded, again;
    if (!decode_change(reader, &decoded)) continue;
    const std::string encoded = bytes_of(decoded);
    ByteReader second(encoded);
    ASSERT_TRUE(decode_change(second, &again));
    ASSERT_EQ(bytes_of(again), encoded);
  }
}

}  // namespace
}  // namespace kvorum::cluster
