// SPDX-License-Identifier: Apache-2.0
// Reads where members stand in zones: whose copy is asked for the object.
#include <gtest/gtest.h>

#include "cluster/request/get_machine.h"
#include "tests/cluster/lone_requests.h"

namespace kvorum::cluster::fixtures {
namespace {

// Of two zones with two members each; the key is at all but this node.
struct ZonedReads : ::testing::Test {
  ZonedReads()
      : lone({.members = 4, .adjust_founding = [](Founding& founding) {
                for (size_t at = 0; at < founding.members.size(); ++at) {
                  founding.members[at].zone = at % 2 == 0 ? "here" : "there";
                }
              }}) {
    lone.stand_at(3);
    lone.link_all();
  }

  LoneRequests lone;
  QuorumRead reads{lone.core};
  ReadRepair repairs{lone.core};
  GetMachine machine{lone.core, reads, repairs};
};

TEST_F(ZonedReads, TheObjectIsAskedOfTheCopyInTheOwnZone) {
  const SlotId id = lone.acquire(Operation::Kind::kGet, lone.get(), 5);
  machine.start(id, lone.of(id), lone.now);
  for (const MemberIndex member : {MemberIndex{1}, MemberIndex{2}, MemberIndex{3}}) {
    EXPECT_EQ(lone.asked(member).full, member == 2) << member;
  }
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
