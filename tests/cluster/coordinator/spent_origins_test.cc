// SPDX-License-Identifier: Apache-2.0
// A request that two coordinators ran left twins: versions of one origin under two dots. Who
// replaces the one that was retried replaces the other too, which he never saw.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/version/object_codec.h"
#include "tests/cluster/frame_of.h"
#include "tests/cluster/test_cluster.h"
#include "tests/cluster/twins.h"
#include "tests/cluster/version_history.h"

namespace kvorum::cluster {
namespace {

using namespace fixtures;  // NOLINT: twins
using testing::ElementsAre;
using testing::IsEmpty;

// What the coordinator that was asked second made of the request.
Object second_attempt() { return only(retried(version_of(kSecond, 5, "old", kRequest))); }

TEST(SpentOrigins, AnOverwriteOfTheOneTwinIsNotJoinedByTheOther) {
  Object object = second_attempt();
  overwrite(object, version_of(kThird, 9, "new", 78));
  const Object early = only(version_of(kFirst, 4, "old", kRequest));
  const Object late = only(version_of(kFirst, 400, "old", kRequest));
  EXPECT_THAT(values_of(merge(object, early)), ElementsAre("new"));
  EXPECT_THAT(values_of(merge(late, object)), ElementsAre("new"));
  EXPECT_TRUE(merge(object, early).vector.covers({kFirst, Hlc{4}}));
}

TEST(SpentOrigins, OfOtherRequestsAreSiblingsAsEver) {
  Object object = second_attempt();
  overwrite(object, version_of(kThird, 9, "new", 78));
  const Object other = only(version_of(kFirst, 4, "other", 79));
  EXPECT_THAT(values_of(merge(object, other)), ElementsAre("new", "other"));
}

TEST(SpentOrigins, OfRequestsThatWereNotRetriedNothingIsRemembered) {
  Object object = only(version_of(kSecond, 5, "old", kRequest));
  overwrite(object, version_of(kThird, 9, "new", 78));
  EXPECT_THAT(object.spent, IsEmpty());
}

TEST(SpentOrigins, BothTwinsGoWhereTheWriterSawOne) {
  Object object = merge(second_attempt(), only(version_of(kFirst, 4, "old", kRequest)));
  ASSERT_EQ(object.versions.size(), 2U);
  Context first_only;
  first_only.vector.raise(kFirst, Hlc{4});
  update(object, first_only, version_of(kThird, 9, "new", 78));
  EXPECT_THAT(values_of(object), ElementsAre("new"));
}

// The second of two writes, of the same request.
TEST(SpentOrigins, TheRequestItselfSpendsNothingAndPassesOnThatItWasRetried) {
  Object object = second_attempt();
  overwrite(object, version_of(kSecond, 9, "old", kRequest));
  EXPECT_THAT(object.spent, IsEmpty());
  overwrite(object, version_of(kThird, 10, "new", 78));
  EXPECT_THAT(values_of(merge(object, only(version_of(kFirst, 4, "old", kRequest)))),
              ElementsAre("new"));
}

// The first coordinator comes late and knows what the second one made. A client that has read only
// that deletes it.
TEST(SpentOrigins, ATwinDoesNotHideTheOneThatSomebodyHasRead) {
  Object object = second_attempt();
  const Context read{object.vector, {}};
  overwrite(object, version_of(kFirst, 400, "old", kRequest));
  EXPECT_EQ(visible_versions(object, 1).size(), 1u);
  Version tombstone = version_of(kThird, 500, {}, 78);
  tombstone.type = TypeTag::kTombstone;
  update(object, read, tombstone);
  EXPECT_THAT(visible_versions(object, 1), IsEmpty());
  EXPECT_THAT(values_of(merge(object, only(version_of(kFirst, 401, "old", kRequest)))),
              ElementsAre(""));
}

// Its coordinator lacks the version that the client has read, and has its twin.
TEST(SpentOrigins, APutReadsWhatItsContextCoversBeforeItReplacesIt) {
  TestCluster cluster(3);
  const Object second = second_attempt();
  const Object first = only(version_of(kFirst, 4, "old", kRequest));
  for (size_t place = 0; place < 3; ++place) {
    cluster.change_own(cluster.node_for("k", place), "k",
                       [&](Record& record) { record.object = place == 0 ? first : second; });
  }
  cluster.put(cluster.node_for("k", 0), "k", Context{second.vector, {}}, "new");
  EXPECT_THAT(cluster.get(0, "k").values, ElementsAre("new"));
}

// Seed 353 of the swarm. The first coordinator's blind write comes to a replica that has its
// retried twin: a second write would cover that one unseen, and a client who has read it would not
// know the version that came instead.
TEST(SpentOrigins, ARetriedTwinBesideABlindWriteAsksForNoSecondOne) {
  TestCluster cluster(3);
  const size_t replica = cluster.node_for("k", 1), coordinator = cluster.node_for("k", 0);
  const auto verdict_beside = [&](const Object& own) {
    cluster.change_own(replica, "k", [&](Record& record) { record.object = own; });
    std::string object, batch;
    encode_object(only(version_of(kFirst, 4, "old", kRequest)), object);
    put_replica_write(batch, 1, {.key = cluster.ref("k"), .blind = true, .object = object});
    Coordinator& node = *cluster.nodes[replica]->coordinator;
    const auto from = static_cast<MemberIndex>(coordinator);
    EXPECT_TRUE(node.on_message(from, frame_of(batch), cluster.now_of(replica)));
    ReplicaWriteReply reply;
    EXPECT_TRUE(parse_replica_write_reply(frame_of(node.outbox().frames(from)), &reply));
    node.outbox().frames(from).clear();
    return reply.verdict;
  };
  EXPECT_EQ(verdict_beside(second_attempt()), ReplicaVerdict::kOk);
  EXPECT_EQ(verdict_beside(only(version_of(kSecond, 5, "other", 78))), ReplicaVerdict::kUncovered);
}

TEST(SpentOrigins, AreForgottenOnceNoTwinCanComeAndHoldTheTombstoneUntilThen) {
  Object object = second_attempt();
  Version tombstone = version_of(kThird, Hlc::from_ms(1000).value, {}, 78);
  tombstone.type = TypeTag::kTombstone;
  overwrite(object, tombstone);
  const Hlc soon = Hlc::from_ms(1001);
  EXPECT_FALSE(reapable(object, soon));
  EXPECT_FALSE(forget_spent(object, soon));
  const Hlc later = Hlc::from_ms(1000 + kTwinsWithinMs + 1);
  EXPECT_TRUE(reapable(object, later));
  EXPECT_TRUE(forget_spent(object, later));
  EXPECT_THAT(object.spent, IsEmpty());
}

TEST(SpentOrigins, TravelInThePortableForm) {
  Object object = second_attempt();
  std::string bytes;
  encode_object(object, bytes);
  Object decoded;
  ASSERT_TRUE(decode_object(bytes, decoded));
  EXPECT_TRUE(same_object(decoded, object));

  overwrite(object, version_of(kThird, 9, "new", 78));
  bytes.clear();
  encode_object(object, bytes);
  ASSERT_TRUE(decode_object(bytes, decoded));
  EXPECT_TRUE(same_object(decoded, object));
  ASSERT_NE(decoded.find_spent(kRequest), nullptr);
  EXPECT_EQ(decoded.find_spent(kRequest)->dot, (Dot{kSecond, Hlc{5}}));
  EXPECT_EQ(decoded.find_spent(78), nullptr);
  EXPECT_EQ(decoded.find_spent(0), nullptr);
}

TEST(SpentOrigins, AVersionOfASpentOriginIsNoObjectOfOurs) {
  Object object = second_attempt();
  overwrite(object, version_of(kThird, 9, "new", 78));
  object.versions[0].origin = kRequest;
  std::string bytes;
  encode_object(object, bytes);
  Object decoded;
  EXPECT_FALSE(decode_object(bytes, decoded));
}

}  // namespace
}  // namespace kvorum::cluster
