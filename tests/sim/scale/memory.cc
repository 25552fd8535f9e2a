// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scale/memory.h"

#include <fmt/format.h>
#include <malloc.h>

#include <memory>

#include "cluster/history/history_view.h"
#include "tests/sim/swarm.h"

namespace kvorum::sim {
namespace {

size_t allocated() {
  const struct mallinfo2 all = mallinfo2();
  return all.uordblks + all.hblkhd;  // large blocks stand apart
}

// What `make` returns, and how much more is allocated afterwards.
template <class Make>
auto measured(size_t* bytes, Make make) {
  const size_t before = allocated();
  auto made = make();
  const size_t after = allocated();
  *bytes = after > before ? after - before : 0;
  return made;
}

cluster::Member member_of(size_t node) {
  cluster::Member member;
  member.name = name_of_node(node);
  member.id = node + 1;  // of who joins; a founder's follows from its name
  member.peer = {fmt::format("10.0.{}.{}", node / 256, node % 256), 7379};
  member.redis = {member.peer.host, 6379};
  return member;
}

cluster::Founding founding_of(size_t members, uint32_t partitions) {
  cluster::Founding founding;
  founding.partitions = partitions;
  for (size_t node = 0; node < members; ++node) founding.members.push_back(member_of(node));
  return founding;
}

}  // namespace

ViewBytes view_bytes(size_t members, uint32_t partitions, size_t joiners) {
  ViewBytes bytes;
  const auto history = measured(&bytes.history, [&] {
    return std::make_unique<cluster::History>(founding_of(members, partitions));
  });
  cluster::SetPlacements placements;
  const auto source =
      measured(&bytes.placements, [&] { return placements.of(*history, history->newest()); });
  const auto view = measured(&bytes.view, [&] {
    return std::make_unique<cluster::ClusterView>(
        cluster::view_of(*history, placements, nullptr, 0));
  });
  bytes.table = view->ring.owners().size_bytes();
  const auto kept = measured(&bytes.moving, [&] {
    for (size_t joiner = 0; joiner < joiners; ++joiner) {
      cluster::Change change;
      change.id = {Hlc::from_ms(1000 + joiner), 1};
      change.described = member_of(members + joiner);
      KVORUM_CHECK(history->add(change));
    }
    return std::make_unique<cluster::ClusterView>(
        cluster::view_of(*history, placements, view.get(), 0));
  });
  KVORUM_CHECK(kept->members.size() == members + joiners);
  const size_t again = bytes.view;  // the later view takes the place of this one
  bytes.moving = bytes.moving > again ? bytes.moving - again : 0;
  return bytes;
}

}  // namespace kvorum::sim
