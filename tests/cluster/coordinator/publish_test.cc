// SPDX-License-Identifier: Apache-2.0
// A member that joins by a later view, as one coordinator without a cluster treats it: it is asked
// nothing before its link is up, and everything then. And views that cannot come after another.
#include <gmock/gmock.h>

#include <algorithm>

#include "cluster/coordinator/coordinator.h"
#include "tests/cluster/lone_requests.h"
#include "tests/cluster/test_members.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;

// Of the cluster that three members founded.
ClusterView view_of(uint32_t members) {
  Founding founding;
  founding.partitions = LoneCore::kPartitions;
  founding.members = make_members(3);
  const uint64_t cluster_id = founding_cluster_id(founding);
  founding.members = make_members(members);
  ClusterView view = found_view(founding, "n0");
  view.cluster_id = view.newest_set = cluster_id;
  for (Member& member : view.members) member.id = founder_id(cluster_id, member.name);
  return view;
}

class Published : public ::testing::Test, public CompletionSink, public KeyspaceSink {
 protected:
  static constexpr MemberIndex kNew = 3;

  Published() {
    coordinator.set_sinks(this, this);
    live_ms(3000);  // the run is not young any more
    coordinator.on_link(1, true, lone.now);
    coordinator.on_link(2, true, lone.now);
    sent_to(1);
    sent_to(2);
  }
  void on_complete(uint64_t tag, const Completion&) override { completed.push_back(tag); }
  void on_keyspace_complete(uint64_t tag, const KeyspaceCompletion&) override {
    counted.push_back(tag);
  }
  void publish(ClusterView view) {
    coordinator.publish(std::make_shared<const ClusterView>(std::move(view)), lone.now);
  }
  void live_ms(uint64_t ms) {
    for (uint64_t step = 0; step < ms; step += 10) {
      lone.pass_ms(10);
      coordinator.on_time(lone.now);
    }
  }
  std::vector<MessageType> sent_to(MemberIndex member) {
    std::vector<MessageType> types;
    std::string batch;
    if (coordinator.outbox().waiting_bytes(member) == 0) return types;
    batch.swap(coordinator.outbox().batch(member));
    for (std::string_view rest = batch; !rest.empty();) {
      Frame frame;
      size_t size = 0;
      KVORUM_CHECK(parse_frame(rest, &frame, &size) == FrameStatus::kFrame);
      rest.remove_prefix(size);
      types.push_back(frame.head.type);
    }
    return types;
  }
  // Of a key of which this node and the new member hold copies.
  Request shared_request(Request::Kind kind) {
    const ClusterView& view = coordinator.view();
    Request request;
    for (int number = 0;; ++number) {
      key = "k" + std::to_string(number);
      const uint32_t partition = partition_of(position_of(key), LoneCore::kPartitionBits);
      if (view.is_primary(0, 0, partition) && view.is_primary(kNew, 0, partition)) break;
    }
    request.kind = kind;
    request.edit = test_edits::kSet;
    request.preferred = lone.id_of(0);
    request.has_context = kind == Request::Kind::kEdit;  // it is written without a reading
    request.context = &nothing;
    request.key = lone.ref(key);
    return request;
  }

  LoneRequests lone{{.members = 3, .has_frontier = true}};
  Coordinator coordinator{lone.core.parts, lone.view, {}, 1};
  std::string key;
  Context nothing;
  std::vector<uint64_t> completed, counted;
};

TEST_F(Published, AMemberThatJoinedBeginsUnlinkedAndIsAskedNothing) {
  publish(view_of(4));
  EXPECT_EQ(coordinator.view().members.size(), 4u);
  EXPECT_EQ(coordinator.peer_state(kNew), PeerState::kDown);
  EXPECT_EQ(coordinator.peer_state(1), PeerState::kUp) << "the others keep their links";
  coordinator.submit(shared_request(Request::Kind::kRead), 1, lone.now);
  live_ms(3000);
  EXPECT_THAT(sent_to(kNew), IsEmpty());
  EXPECT_THAT(sent_to(1), Not(IsEmpty()));
}

TEST_F(Published, OnceItsLinkIsUpItHearsGossipAndTakesPartInExchanges) {
  publish(view_of(4));
  coordinator.on_link(kNew, true, lone.now);
  EXPECT_EQ(coordinator.peer_state(kNew), PeerState::kUp);
  EXPECT_THAT(sent_to(kNew), Contains(MessageType::kGossip));
  live_ms(2000);
  EXPECT_THAT(sent_to(kNew), Contains(MessageType::kExchangeOpen));
}

TEST_F(Published, OnceItsLinkIsUpItIsReadAndWritten) {
  publish(view_of(4));
  coordinator.on_link(kNew, true, lone.now);
  sent_to(kNew);
  coordinator.submit(shared_request(Request::Kind::kRead), 1, lone.now);
  EXPECT_THAT(sent_to(kNew), Contains(MessageType::kReplicaRead));
  coordinator.submit(shared_request(Request::Kind::kEdit), 2, lone.now);
  EXPECT_THAT(sent_to(kNew), Contains(MessageType::kReplicaWrite));
}

TEST_F(Published, ItsLinkBreaksAsThoseOfTheOthers) {
  publish(view_of(4));
  coordinator.on_link(kNew, true, lone.now);
  coordinator.submit(shared_request(Request::Kind::kRead), 1, lone.now);
  sent_to(kNew);
  coordinator.on_link(kNew, false, lone.now);
  EXPECT_EQ(coordinator.peer_state(kNew), PeerState::kDown);
  coordinator.submit(shared_request(Request::Kind::kRead), 2, lone.now);
  EXPECT_THAT(sent_to(kNew), IsEmpty());
}

TEST_F(Published, WhatWasUnderWayIsAnsweredUnderTheLaterView) {
  Request request;
  key = "k";
  request.key = lone.ref(key);
  coordinator.submit(request, 7, lone.now);
  publish(view_of(4));
  live_ms(1100);
  EXPECT_THAT(completed, ::testing::ElementsAre(7)) << "without a quorum, at its deadline";
  EXPECT_EQ(coordinator.backlog().operations, 0u);
}

TEST_F(Published, ACountThatBeganBeforeIsAnsweredByThoseWhoWereAsked) {
  KeyspaceRequest request;
  request.kind = KeyspaceRequest::Kind::kCount;
  coordinator.submit(request, 8, lone.now);
  publish(view_of(4));
  coordinator.on_link(kNew, true, lone.now);
  live_ms(1100);
  EXPECT_THAT(counted, ::testing::ElementsAre(8));
}

// ---- which views follow another

TEST(FollowingView, KeepsEachMembersIndex) {
  const ClusterView earlier = view_of(3);
  EXPECT_TRUE(earlier.follows(earlier));
  EXPECT_TRUE(view_of(4).follows(earlier));
  EXPECT_FALSE(earlier.follows(view_of(4))) << "no index is taken back";
  ClusterView reused = view_of(4);
  reused.members[2] = reused.members[3];
  reused.members[2].id += 1;
  EXPECT_FALSE(reused.follows(earlier));
  ClusterView swapped = view_of(3);
  std::swap(swapped.members[1], swapped.members[2]);
  EXPECT_FALSE(swapped.follows(earlier));
}

TEST(FollowingView, IsOfTheSameClusterAndNode) {
  const ClusterView earlier = view_of(3);
  ClusterView other = view_of(3);
  other.cluster_id += 1;
  EXPECT_FALSE(other.follows(earlier));
  ClusterView moved = view_of(3);
  moved.self = 1;
  EXPECT_FALSE(moved.follows(earlier));
  ClusterView stranger = view_of(3);
  stranger.self = kNoMember;
  EXPECT_TRUE(earlier.follows(stranger)) << "who waits to be admitted is";
}

using PublishedDeath = Published;

TEST_F(PublishedDeath, AViewThatReusesAnIndexIsRefused) {
  ClusterView reused = view_of(4);
  reused.members[2].id += 1;
  EXPECT_DEATH(publish(std::move(reused)), "follows");
}

// Of each key there is one copy.
class PublishedAlone : public Published {
 protected:
  PublishedAlone() { publish(alone(3)); }
  static ClusterView alone(uint32_t members) {
    ClusterView view = view_of(members);
    for (KeyspacePolicy& keyspace : view.keyspaces) keyspace.n = keyspace.r = keyspace.w = 1;
    return view;
  }
  // Of a key of which the new member has the copy.
  Request its_request(Request::Kind kind) {
    Request request;
    for (int number = 0;; ++number) {
      key = "k" + std::to_string(number);
      const uint32_t partition = partition_of(position_of(key), LoneCore::kPartitionBits);
      if (coordinator.view().primaries(0, partition)[0] == kNew) break;
    }
    request.kind = kind;
    request.edit = test_edits::kSet;
    request.key = lone.ref(key);
    return request;
  }
};

TEST_F(PublishedAlone, RequestsWaitForTheFirstLinkOfTheOwner) {
  publish(alone(4));
  coordinator.submit(its_request(Request::Kind::kRead), 1, lone.now);
  coordinator.submit(its_request(Request::Kind::kEdit), 2, lone.now);
  live_ms(100);
  EXPECT_THAT(completed, IsEmpty()) << "a stand-in would know nothing of the key";
  EXPECT_THAT(sent_to(1), Not(Contains(MessageType::kForward)));
  coordinator.on_link(kNew, true, lone.now);
  sent_to(kNew);
  live_ms(10);
  const std::vector<MessageType> types = sent_to(kNew);
  EXPECT_EQ(std::count(types.begin(), types.end(), MessageType::kForward), 2);
}

TEST_F(PublishedAlone, RequestsWaitForHalfOfTheirTimeAtMost) {
  publish(alone(4));
  coordinator.submit(its_request(Request::Kind::kRead), 1, lone.now);
  live_ms(CoordinatorOptions{}.request_timeout_ms / 2 + 20);
  const bool elsewhere = !completed.empty() || !sent_to(1).empty() || !sent_to(2).empty();
  EXPECT_TRUE(elsewhere) << "it may be dead";
}

TEST_F(PublishedAlone, WhoLostItsLinkIsNotWaitedFor) {
  publish(alone(4));
  coordinator.on_link(kNew, true, lone.now);
  coordinator.on_link(kNew, false, lone.now);
  sent_to(1), sent_to(2);
  coordinator.submit(its_request(Request::Kind::kRead), 1, lone.now);
  const bool elsewhere = !completed.empty() || !sent_to(1).empty() || !sent_to(2).empty();
  EXPECT_TRUE(elsewhere) << "it is down: others stand in";
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
