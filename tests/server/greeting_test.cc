// SPDX-License-Identifier: Apache-2.0
#include "server/greeting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/founding.h"

namespace kvorum::server {
namespace {

using cluster::Frame;
using cluster::FrameStatus;
using testing::HasSubstr;
using testing::IsEmpty;

cluster::ClusterView view_of(const std::string& cluster_name, std::string_view self) {
  cluster::Founding founding;
  founding.cluster_name = cluster_name;
  for (const char* const name : {"a", "b", "c"}) {
    cluster::Member& member = founding.members.emplace_back();
    member.name = name;
    member.peer = {"127.0.0.1", static_cast<uint16_t>(7379 + name[0] - 'a')};
  }
  return cluster::found_view(founding, self);
}

PeerIdentity identity_of(const cluster::ClusterView& view, std::string_view secret = "") {
  const cluster::Member& self = view.members[view.self];
  PeerIdentity identity;
  identity.cluster_id = view.cluster_id;
  identity.cluster_name = view.cluster_name;
  identity.node_id = self.id;
  identity.node_name = self.name;
  identity.incarnation = 17;
  identity.view_hash = view.hash();
  identity.key = derive_key("peer", secret, view.cluster_id);
  return identity;
}

Frame only_frame(const std::string& batch) {
  Frame frame;
  size_t size = 0;
  EXPECT_EQ(cluster::parse_frame(batch, &frame, &size), FrameStatus::kFrame);
  EXPECT_EQ(size, batch.size());
  return frame;
}

class GreetingTest : public testing::Test {
 protected:
  std::string refusal_by_a(const Hello& dialer) {
    return refusal_of(dialer, identity_of(view_a), view_a);
  }

  const cluster::ClusterView view_a = view_of("demo", "a");
  const cluster::ClusterView view_b = view_of("demo", "b");
  const Hello hello = make_hello(identity_of(view_b), "a", {1, 2});
};

TEST_F(GreetingTest, AHelloArrivesAsItWasSent) {
  std::string batch;
  put_hello(batch, hello);
  EXPECT_LE(batch.size(), kGreetingBytesMax);
  Hello parsed;
  ASSERT_TRUE(parse_hello(only_frame(batch), &parsed));
  EXPECT_EQ(parsed.cluster_id, hello.cluster_id);
  EXPECT_EQ(parsed.node_name, "b");
  EXPECT_EQ(parsed.wanted_name, "a");
  EXPECT_EQ(parsed.incarnation, 17u);
  EXPECT_EQ(parsed.view_hash, view_a.hash());
  EXPECT_EQ(parsed.nonce, (Nonce{1, 2}));
}

TEST_F(GreetingTest, AMemberIsLetIn) { EXPECT_THAT(refusal_by_a(hello), IsEmpty()); }

TEST_F(GreetingTest, AnotherVersionIsRefusedAndOnlyItsVersionRead) {
  Hello newer = hello;
  newer.version = cluster::kProtocolVersion + 1;
  std::string batch;
  put_hello(batch, newer);
  Hello parsed;
  ASSERT_TRUE(parse_hello(only_frame(batch), &parsed));
  EXPECT_THAT(parsed.node_name, IsEmpty());
  EXPECT_THAT(refusal_by_a(parsed), HasSubstr("upgrade the older binary"));
}

TEST_F(GreetingTest, EachDifferenceIsNamedWithItsRemedy) {
  const cluster::ClusterView stranger = view_of("other", "b");
  EXPECT_THAT(refusal_by_a(make_hello(identity_of(stranger), "a", {})),
              testing::AllOf(HasSubstr("'demo'"), HasSubstr("'other'"), HasSubstr("cluster.name")));
  Hello founding = hello;
  ++founding.cluster_id;
  EXPECT_THAT(refusal_by_a(founding), HasSubstr("same cluster section"));
  Hello misled = hello;
  misled.wanted_name = "c";
  EXPECT_THAT(refusal_by_a(misled), HasSubstr("this is node a, not c"));
  EXPECT_THAT(refusal_by_a(make_hello(identity_of(view_a), "a", {})), HasSubstr("name of its own"));
  Hello unknown = hello;
  unknown.node_id = 4711;
  EXPECT_THAT(refusal_by_a(unknown), HasSubstr("has to be admitted"));
}

TEST_F(GreetingTest, ProofsTellTheSecretAndCannotBeSwapped) {
  Welcome welcome;
  welcome.node_id = view_a.members[view_a.self].id;
  welcome.nonce = {3, 4};
  const MacKey key = derive_key("peer", "s1", view_a.cluster_id);
  const MacKey wrong = derive_key("peer", "s2", view_a.cluster_id);
  EXPECT_NE(acceptor_proof(key, hello, welcome), acceptor_proof(wrong, hello, welcome));
  EXPECT_NE(acceptor_proof(key, hello, welcome), dialer_proof(key, hello, welcome));
  Welcome replayed = welcome;
  replayed.nonce = {3, 5};
  EXPECT_NE(dialer_proof(key, hello, welcome), dialer_proof(key, hello, replayed));
}

TEST_F(GreetingTest, KeysDifferByPurposeSecretAndCluster) {
  const MacKey key = derive_key("peer", "s", 1);
  EXPECT_EQ(key, derive_key("peer", "s", 2));  // with a secret the cluster does not matter
  EXPECT_NE(key, derive_key("token", "s", 1));
  EXPECT_NE(key, derive_key("peer", "", 1));
  EXPECT_NE(derive_key("peer", "", 1), derive_key("peer", "", 2));
}

TEST_F(GreetingTest, WelcomeProofAndDoneArriveAsTheyWereSent) {
  Welcome welcome;
  welcome.node_name = "a";
  welcome.proof = 99;
  welcome.nonce = {5, 6};
  std::string batch;
  put_welcome(batch, welcome);
  Welcome parsed;
  ASSERT_TRUE(parse_welcome(only_frame(batch), &parsed));
  EXPECT_EQ(parsed.node_name, "a");
  EXPECT_EQ(parsed.proof, 99u);
  EXPECT_THAT(parsed.refusal, IsEmpty());

  std::string proof_batch, done_batch;
  put_proof(proof_batch, 4711);
  put_greeting_done(done_batch, "no");
  uint64_t proof = 0;
  std::string refusal;
  ASSERT_TRUE(parse_proof(only_frame(proof_batch), &proof));
  ASSERT_TRUE(parse_greeting_done(only_frame(done_batch), &refusal));
  EXPECT_EQ(proof, 4711u);
  EXPECT_EQ(refusal, "no");
  Hello no_hello;
  EXPECT_FALSE(parse_hello(only_frame(proof_batch), &no_hello));
  EXPECT_FALSE(parse_welcome(only_frame(done_batch), &parsed));
}

TEST_F(GreetingTest, ShortenedPayloadsAreRefused) {
  std::string batch;
  put_hello(batch, hello);
  const Frame whole = only_frame(batch);
  for (size_t size = 0; size < whole.payload.size(); ++size) {
    Frame shortened = whole;
    shortened.payload = whole.payload.substr(0, size);
    Hello parsed;
    EXPECT_FALSE(parse_hello(shortened, &parsed)) << size;
  }
}

}  // namespace
}  // namespace kvorum::server
