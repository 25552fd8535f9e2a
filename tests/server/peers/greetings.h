// SPDX-License-Identifier: Apache-2.0
// Nodes as far as greetings know them, and both sides of one greeting, for tests of greeting.h.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "cluster/ring/founding.h"
#include "server/peers/greeting.h"

namespace kvorum::server {

inline cluster::ClusterView view_of(const std::string& cluster_name, std::string_view self,
                                    uint32_t partitions = 256,
                                    uint8_t placement = cluster::kPlacementUnmended) {
  cluster::Founding founding;
  founding.placement = placement;
  founding.cluster_name = cluster_name;
  founding.partitions = partitions;
  for (const char* const name : {"a", "b", "c"}) {
    cluster::Member& member = founding.members.emplace_back();
    member.name = name;
    member.peer = {"127.0.0.1", static_cast<uint16_t>(7379 + name[0] - 'a')};
  }
  return cluster::found_view(founding, self);
}

// One node, as far as greetings know it.
struct Node {
  explicit Node(std::string_view name, const std::vector<std::string>& secrets = {},
                const std::string& cluster_name = "demo", uint32_t partitions = 256)
      : view(view_of(cluster_name, name, partitions)) {
    const cluster::Member& self = view.members[view.self];
    identity.cluster_id = view.cluster_id;
    identity.cluster_name = view.cluster_name;
    identity.node_id = self.id;
    identity.node_name = self.name;
    identity.incarnation = 17;
    identity.view_hash = view.hash();
    identity.keys = make_secret_keys(secrets, {view.cluster_name, view.cluster_id});
  }
  const cluster::Member& member(std::string_view name) const {
    for (const cluster::Member& member : view.members) {
      if (member.name == name) return member;
    }
    return view.members[0];
  }
  std::shared_ptr<const cluster::ClusterView> shared_view() const {
    return std::make_shared<const cluster::ClusterView>(view);
  }
  void found(uint8_t placement, bool is_firm) {
    const uint32_t partitions = view.ring.partitions();
    view = view_of(view.cluster_name, identity.node_name, partitions, placement);
    identity.founded = [placement, is_firm] { return FoundedPlacement{placement, is_firm}; };
  }
  // No member: it would like to be one, by this name.
  void wait_as(const std::string& name, cluster::NodeId id) {
    identity.waits = true;
    identity.node_id = id;
    identity.node_name = name;
    identity.offered.name = name;
    identity.offered.peer = {"10.0.0.9", 7379};
    identity.offered.weight = 3;
    identity.offered.zone = "north";
  }

  cluster::ClusterView view;
  PeerIdentity identity;
  uint16_t proposes = 0;  // as a dialer; 0: its newest version
};

inline cluster::Frame only_frame(const std::string& batch) {
  cluster::Frame frame;
  size_t size = 0;
  EXPECT_EQ(cluster::parse_frame(batch, &frame, &size), cluster::FrameStatus::kFrame);
  EXPECT_EQ(size, batch.size());
  EXPECT_LE(batch.size(), kGreetingBytesMax);
  return frame;
}

// Both sides of one greeting, and what went over the wire.
struct Greeting {
  Greeting(const Node& dialing, const Node& accepting, std::string_view wanted = "a",
           AcceptorGreeting::IsLinked is_linked = {})
      : dialer(dialing.identity, dialing.member(wanted), {1, 2}, dialing.proposes),
        acceptor(accepting.identity, accepting.shared_view(), {3, 4}, std::move(is_linked)) {}

  void run() {
    dialer.begin(hello);
    accepted = acceptor.on_frame(only_frame(hello), welcome);
    dialed = dialer.on_frame(only_frame(welcome), proof);
    if (dialed != GreetingStep::kGoesOn) return;
    accepted = acceptor.on_frame(only_frame(proof), done);
    if (done.empty()) return;  // the link is closed without a word
    dialed = dialer.on_frame(only_frame(done), proof);
  }
  std::string wire() const { return hello + welcome + proof + done; }

  DialerGreeting dialer;
  AcceptorGreeting acceptor;
  std::string hello, welcome, proof, done;
  GreetingStep dialed{}, accepted{};
};

inline void expect_nothing_told(const std::string& wire, const Node& node) {
  std::string id;
  put_u64(id, node.identity.cluster_id);
  std::string member;
  put_u64(member, node.identity.node_id);
  for (const std::string& told : {std::string("demo-cluster"), id, member}) {
    EXPECT_THAT(wire, testing::Not(testing::HasSubstr(told)));
  }
}

}  // namespace kvorum::server
