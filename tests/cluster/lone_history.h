// SPDX-License-Identifier: Apache-2.0
// A LoneCore whose membership changes: four founders n0 to n3 with three copies each, of which it
// is n0, and a history without a disk. Where one of the others leaves, n0 is a new owner of those
// partitions that it did not own; where n0 leaves, it owns nothing in the end.
#pragma once

#include <utility>
#include <vector>

#include "cluster/copies/shared_history.h"
#include "tests/cluster/lone_core.h"
#include "tests/cluster/random_history.h"

namespace kvorum::cluster::fixtures {

struct HistoryHolder {
  explicit HistoryHolder(const LoneShape& shape)
      : founding(founding_of(shape)),
        shared({founder_id(founding_cluster_id(founding), "n0"), 1}, History(founding),
               std::make_shared<const ClusterView>(found_view(founding, "n0"))) {}

  static Founding founding_of(const LoneShape& shape) {
    Founding founding = make_founding(shape.members, LoneCore::kPartitions);
    for (KeyspacePolicy& policy : founding.keyspaces) policy.n = shape.n;
    if (shape.adjust_founding) shape.adjust_founding(founding);
    return founding;
  }
  LoneShape with_history(LoneShape shape) {
    shape.adjust_founding = [this](Founding& other) { other = founding; };
    shape.adjust_parts = [this, adjust = shape.adjust_parts](NodeParts& parts) {
      parts.history = &shared;
      if (adjust) adjust(parts);
    };
    return shape;
  }

  Founding founding;
  SharedHistory shared;
};

struct LoneHistory : HistoryHolder, LoneCore {
  static constexpr NodeId kNewcomer = 100;

  explicit LoneHistory(const LoneShape& shape = {.members = 4})
      : HistoryHolder(shape), LoneCore(with_history(shape)) {
    shared.set_whole(&whole);
  }

  NodeId founder(uint32_t number) const { return founder_id(view->cluster_id, name_of(number)); }
  SetId newest() const { return shared.history()->newest(); }
  SetId founded() const { return view->cluster_id; }

  // What was learned has an effect on the machines.
  void follow() {
    view = shared.view();
    core.publish(view, now);
    if (frontier) frontier->publish(view);
    shared.adopt(0, view->generation);
  }
  void change(ChangeKind kind, NodeId member) {
    shared.add(make_change(shared.highest_change().value + 1, kind, member));
    follow();
  }
  void leave(uint32_t number) { change(ChangeKind::kLeave, founder(number)); }
  void remove(uint32_t number) { change(ChangeKind::kRemove, founder(number)); }
  void join() {
    shared.add(make_join(shared.highest_change().value + 1, kNewcomer, "newcomer"));
    follow();
  }
  // Another address: no set of owners is another one, but the history has a change.
  void touch() { change(ChangeKind::kAddress, founder(3)); }
  void learn(std::vector<Fact> facts) {
    shared.add(facts);
    follow();
  }
  bool knows(const Fact& fact) const {
    return shared.history()->facts_of(fact.partition).contains(fact);
  }

  // The first partition that n0 does, or does not, own under the founding set.
  uint32_t partition_of_self(bool owned) const {
    const ClusterView founding_view = found_view(founding, "n0");
    uint32_t partition = 0;
    while (founding_view.is_primary(0, 0, partition) != owned) ++partition;
    return partition;
  }

  // A clean exchange with that founder that began now, by what both know now.
  CleanExchange exchange_with(uint32_t number, uint32_t partition) {
    CleanExchange exchange;
    exchange.peer = founder(number);
    exchange.run = kIncarnation;
    exchange.peer_run = run_of(static_cast<MemberIndex>(number));
    exchange.began = clock.tick(now.wall_ms);
    exchange.signature = view->signature(partition);
    exchange.peer_whole = true;
    return exchange;
  }
  void note(uint32_t partition, const CleanExchange& exchange, uint8_t keyspace) {
    exchanges.note(keyspace, std::span(&partition, 1), exchange);
  }
  // In all keyspaces.
  void note(uint32_t partition, const CleanExchange& exchange) {
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      note(partition, exchange, keyspace);
    }
  }
  void note_with(const std::vector<uint32_t>& numbers, uint32_t partition) {
    for (const uint32_t number : numbers) note(partition, exchange_with(number, partition));
  }

 private:
  static std::string name_of(uint32_t number) { return "n" + std::to_string(number); }
};

}  // namespace kvorum::cluster::fixtures
