// SPDX-License-Identifier: Apache-2.0
// Any bytes as the frames of a greeting, to who accepts and to who dials: without the secret nobody
// is let in, whatever he says, and nothing but fixed frames is answered. The first byte chooses.
#include <string>

#include "base/check.h"
#include "cluster/ring/founding.h"
#include "server/peers/greeting.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {
namespace {

using namespace kvorum::server;  // NOLINT: it is under test here
using cluster::Frame;
using cluster::MessageType;

struct Node {
  Node() {
    cluster::Founding founding;
    founding.partitions = 4;
    for (const char* name : {"a", "b"}) {
      cluster::Member member;
      member.name = name;
      member.peer = cluster::Endpoint{"127.0.0.1", 7379};
      founding.members.push_back(member);
    }
    view = cluster::found_view(founding, "a");
    identity.cluster_id = view.cluster_id;
    identity.node_id = view.members[0].id;
    identity.node_name = "a";
    identity.keys.has_secret = true;
    identity.keys.peer = {{1, 2, 3}, {4, 5, 6}};
  }
  cluster::ClusterView view;
  PeerIdentity identity;
};

void check_introduction(Choices choices) {
  const SpokenVersions ours;
  const auto version = static_cast<uint16_t>(ours.oldest + choices.byte() % 3);
  Introduction told, again;
  if (!Introduction::decode(version, choices.rest(), &told)) return;
  KVORUM_CHECK(Introduction::decode(version, told.encode(version), &again));
  KVORUM_CHECK(again.newest == told.newest && again.founded == told.founded);
  KVORUM_CHECK(again.node_name == told.node_name && again.node_id == told.node_id);
  KVORUM_CHECK(again.waits == told.waits && again.offered.name == told.offered.name);
}

// Two frames of the input, the first as long as its first byte says.
template <class Side>
void check_side(Side& side, MessageType type, Choices choices) {
  std::string out;
  const size_t first = choices.byte();
  const std::string_view rest = choices.rest();
  const Frame frames[] = {{{type, 0, 0}, rest.substr(0, first)},
                          {{type, 0, 1}, first < rest.size() ? rest.substr(first) : ""}};
  for (const Frame& frame : frames) {
    const GreetingStep step = side.on_frame(frame, out);
    KVORUM_CHECK(step != GreetingStep::kLinked);
    KVORUM_CHECK(out.size() < 2 * kGreetingBytesMax);
    if (step == GreetingStep::kFailed) {
      KVORUM_CHECK(!side.trouble().empty());
      return;
    }
  }
}

void fuzz_greeting(std::string_view input) {
  static const Node node;
  Choices choices(input);
  const unsigned way = choices.byte() % 3;
  if (way == 0) return check_introduction(choices);
  if (way == 1) {
    static const auto view = std::make_shared<const cluster::ClusterView>(node.view);
    AcceptorGreeting acceptor(node.identity, view, {3, 4});
    return check_side(acceptor, MessageType::kHello, choices);
  }
  DialerGreeting dialer(node.identity, node.view.members[1], {1, 2});
  check_side(dialer, MessageType::kWelcome, choices);
}

const RegisterFuzzTarget kRegistered("greeting_fuzz", &fuzz_greeting);

}  // namespace
}  // namespace kvorum::fuzz
