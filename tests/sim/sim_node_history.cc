// SPDX-License-Identifier: Apache-2.0
// What a node knows of the membership: found at a start, kept on its disk, proposed to by
// administrators, followed by its reactors one after the other.
#include <algorithm>

#include "tests/sim/sim_node.h"
#include "tests/sim/sim_node_parts.h"

namespace kvorum::sim {

void SimNode::admit(cluster::NodeId id, const cluster::History& history) {
  KVORUM_CHECK(!alive() && id_ == 0);
  id_ = id;
  history.encode(history_on_disk_);
}

void SimNode::propose(cluster::Change change) {
  const Hlc above{history_->highest_change().value + 1};
  change.id = {std::max(clock_->tick(now().wall_ms), above), id_};
  history_->add(change);
}

bool SimNode::holds_anything() const {
  if (hints_->pending() > 0) return true;
  for (const uint8_t db : kDbs) {
    for (uint32_t partition = 0; partition < world_.swarm.partitions; ++partition) {
      if (table_->record_count(db, partition) > 0) return true;
    }
  }
  return false;
}

// What is on disk; else what others know; else, a founder's, the founding. False where there is
// nobody to ask.
bool SimNode::find_history() {
  std::optional<cluster::History> history;
  if (!history_on_disk_.empty()) {
    history = cluster::History::decode(history_on_disk_);
    KVORUM_CHECK(history);
  } else {
    history = world_.histories(index_);
    const bool founder = index_ < world_.founding.members.size();
    if (!history && founder && !world_.swarm.moves()) history.emplace(world_.founding);
    const bool first = session_ == 1 || world_.founding.members.size() == 1;
    if (!history && founder && first) history.emplace(world_.founding);
  }
  if (!history) return false;
  if (history_on_disk_.empty()) history->encode(history_on_disk_);
  cluster::SetPlacements placements;
  view_ = std::make_shared<const cluster::ClusterView>(
      cluster::view_of(*history, placements, nullptr, id_));
  if (!view_->is_member()) return false;
  members_seen_ = 0;
  member_of_node_.assign(world_.swarm.nodes.size(), cluster::kNoMember);
  history_ = std::make_unique<cluster::SharedHistory>(
      cluster::SharedHistoryParts{id_, world_.swarm.reactors}, std::move(*history), view_);
  return true;
}

// A store that is broken takes it later.
void SimNode::keep_history(uint64_t number, const std::string& encoded) {
  later(rng_.below(world_.swarm.disk.commit_delay_us + 1), [this, number, encoded] {
    if (disk_.broken()) return keep_history(number, encoded);
    history_on_disk_ = encoded;
    history_->kept(number);
  });
}

// Members keep their index as long as a session lasts.
cluster::MemberIndex SimNode::member_of(size_t node) {
  for (size_t next = members_seen_; next < view_->members.size(); ++next) {
    member_of_node_[node_of(static_cast<cluster::MemberIndex>(next))] =
        static_cast<cluster::MemberIndex>(next);
  }
  members_seen_ = view_->members.size();
  return member_of_node_[node];
}

// The links to members that this reactor did not know before.
void SimNode::meet_new_members(size_t reactor) {
  ReactorState& state = *reactors_[reactor];
  const cluster::ClusterView& view = state.coordinator.view();
  for (; state.members_met < view.members.size(); ++state.members_met) {
    const auto member = static_cast<cluster::MemberIndex>(state.members_met);
    const size_t node = node_named(view.members[member].name);
    if (member != view.self && state.linked[node]) state.coordinator.on_link(member, true, now());
  }
}

void SimNode::look_at_history(size_t reactor) {
  view_ = history_->view();
  reactors_[reactor]->coordinator.look_at_history(now());
  after_input(reactor);
}

}  // namespace kvorum::sim
