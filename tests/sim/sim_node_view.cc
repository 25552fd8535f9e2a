// SPDX-License-Identifier: Apache-2.0
// What checkers, workloads and clients see of a node.
#include <fmt/format.h>

#include "cluster/version/object_codec.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_node_parts.h"

namespace kvorum::sim {

server::NodeStatus SimNode::status() {
  server::NodeStatus status;
  status.name = view_->members[view_->self].name;
  status.id = id_;
  status.hints_pending = hints_pending();
  status.counters = counters();
  for (size_t i = 0; i < view_->members.size(); ++i) {
    server::MemberStatus& row = status.members.emplace_back();
    row.name = view_->members[i].name;
    row.id = view_->members[i].id;
    row.self = i == view_->self;
    row.state = row.self
                    ? cluster::PeerState::kUp
                    : reactors_[0]->coordinator.peer_state(static_cast<cluster::MemberIndex>(i));
  }
  return status;
}

uint64_t SimNode::hints_pending() const { return hints_->pending(); }

std::string SimNode::describe_hints() const {
  constexpr const char* kStates[] = {"up", "slow", "suspected", "down"};
  std::string text;
  hints_->walk([&](const cluster::HintKey& hint, const cluster::Object&) {
    const cluster::MemberIndex target = view_->find_id(hint.target);
    const auto state = reactors_[0]->coordinator.peer_state(target);
    text +=
        fmt::format("{} for {} ({}): {}; ", view_->members[view_->self].name,
                    view_->members[target].name, kStates[static_cast<size_t>(state)], hint.key.key);
  });
  return text;
}

std::string SimNode::describe_backlog() const {
  cluster::Backlog sum;
  size_t calls = 0;
  for (const auto& reactor : reactors_) {
    const cluster::Backlog one = reactor->coordinator.backlog();
    sum.operations += one.operations;
    sum.keyspace_operations += one.keyspace_operations;
    sum.awaited_commits += one.awaited_commits;
    sum.timers += one.timers;
    calls += reactor->dispatcher->open_calls();
  }
  const bool dirty = object_line_.store && table_->commits().has_dirty();
  const size_t damaged = whole_->damaged();
  if (sum.total() + calls + loads_open_ + damaged == 0 && !dirty) return {};
  return fmt::format(
      "{}: {} operations, {} of keyspaces, {} awaited commits, {} timers, {} calls, {} loads, {} "
      "damaged copies{}; ",
      view_->members[view_->self].name, sum.operations, sum.keyspace_operations,
      sum.awaited_commits, sum.timers, calls, loads_open_, damaged,
      dirty ? ", not all committed" : "");
}

size_t SimNode::suspicions() const {
  size_t sum = 0;
  for (const auto& reactor : reactors_) {
    const cluster::ClusterView& view = reactor->coordinator.view();
    for (size_t peer = 0; peer < view.members.size(); ++peer) {
      if (view.members[peer].has_departed()) continue;
      const auto state = reactor->coordinator.peer_state(static_cast<cluster::MemberIndex>(peer));
      sum += state >= cluster::PeerState::kSuspected;
    }
  }
  return sum;
}

cluster::CoordinatorCounters SimNode::counters() const {
  cluster::CoordinatorCounters sum;
  for (const auto& reactor : reactors_) sum += reactor->coordinator.counters();
  return sum;
}

const cluster::Object& SimNode::own_object(uint8_t db, const std::string& key) {
  const KeyRef ref{key, position_of(key, view_->partitioner), db};
  if (object_line_.store) KVORUM_CHECK(table_->store_reader().load(ref).ok());
  inspected_bytes_.clear();
  const engine::Access access = table_->read(ref, [&](engine::RecordView bytes) {
    cluster::Record record;
    cluster::decode_record(bytes, *authors_, record);
    marks_->apply(db, record.object);
    cluster::encode_object(record.object, inspected_bytes_);
  });
  KVORUM_CHECK(access == engine::Access::kDone);
  KVORUM_CHECK(cluster::decode_object(inspected_bytes_, inspected_));
  return inspected_;
}

uint64_t SimNode::leaf(uint8_t db, const std::string& key) {
  const KeyRef ref{key, position_of(key, view_->partitioner), db};
  return cluster::leaf_digest(ref, own_object(db, key), parts_.digest_seed);
}

}  // namespace kvorum::sim
