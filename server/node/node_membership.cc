// SPDX-License-Identifier: Apache-2.0
#include "server/node/node_membership.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cluster/own/own_held_copies.h"
#include "server/flow/turn_clock.h"
#include "server/membership/cluster_file.h"
#include "server/net/hosts.h"
#include "server/process/logging.h"

namespace kvorum::server {
namespace {

using cluster::Change;
using cluster::ChangeKind;

constexpr uint64_t kSlowMs = 200;

uint64_t steady_us() { return TurnClock(0).read().steady_us; }

std::string name_of(const cluster::ClusterView& view, cluster::NodeId id) {
  const cluster::MemberIndex member = view.find_id(id);
  return member == cluster::kNoMember ? fmt::format("{:016x}", id) : view.members[member].name;
}

std::string change_text(const cluster::ClusterView& view, const Change& change) {
  const std::string who = name_of(view, change.member);
  switch (change.kind) {
    case ChangeKind::kJoin:
      return fmt::format("{} joins", change.described.name);
    case ChangeKind::kLeave:
      return who + " leaves";
    case ChangeKind::kRemove:
      return who + " is removed";
    case ChangeKind::kReplace:
      return fmt::format("{} is removed, and {} takes its place", who, change.described.name);
    case ChangeKind::kWeight:
      return fmt::format("{} has weight {}", who, change.described.weight);
    case ChangeKind::kPlace:
      return fmt::format("{} stands in rack '{}', zone '{}'", who, change.described.rack,
                         change.described.zone);
    case ChangeKind::kAddress:
      return fmt::format("{} is reached at {}", who, change.described.peer.to_text());
    case ChangeKind::kPlacement:
      return fmt::format("the cluster has placement {}", change.placement);
    case ChangeKind::kPolicy:
      break;
  }
  return fmt::format("keyspace {} has n {} r {} w {}", change.policy.db, change.policy.n,
                     change.policy.r, change.policy.w);
}

}  // namespace

NodeMembership::NodeMembership(const NodeSelf& self, NodeStores& stores, NodeCopies& copies)
    : self_(self),
      stores_(stores),
      copies_(copies),
      history_({self.id, self.reactors}, self.history, self.view),
      founding_is_firm_(self.founded.is_firm),
      told_(history_.history()) {}

Status NodeMembership::keep_waiting() {
  if (!waits() || !stores_.is_durable()) return {};
  return stores_.write_membership({});
}

void NodeMembership::begin(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  history_.set_whole(copies_.mutable_whole());
  history_.set_on_view([this] { on_view(); });
  tell_differences();
  if (!stores_.is_durable()) return;
  history_.set_keeper([this](uint64_t number, std::shared_ptr<const cluster::History> history) {
    keep(number, std::move(history));
  });
}

// The file founds; afterwards the history rules.
void NodeMembership::tell_differences() const {
  const std::shared_ptr<const cluster::ClusterView> now = view();
  if (!now->is_changed() || waits()) return;
  if (!now->takes_part()) {
    log_warning(
        "this node {} and serves nobody: stop it; with an empty data directory it can join again",
        now->members[now->self].standing == cluster::Standing::kRemoved ? "was removed" : "left");
    return;
  }
  const FileDifferences differences = compare_file(self_.config, *now);
  for (const std::string& line : differences.lines) {
    log_warning("the file differs from the cluster, which goes on as it is: {}", line);
  }
  if (differences.lines.empty()) return;
  log_warning("`kvorum cluster plan FILE` shows the same, `kvorum cluster apply FILE` changes it");
}

void NodeMembership::keep(uint64_t number, std::shared_ptr<const cluster::History> history) {
  {
    const MutexLock guard(mutex_);
    pending_ = Pending{number, std::move(history)};
  }
  stores_.run_on_store_thread([this] { write_pending(); });
}

// On a store thread. What fails is tried again by look(); nothing of it has an effect before. There
// are two such threads: one at a time, so that what is on disk never goes back.
void NodeMembership::write_pending() {
  const MutexLock one_at_a_time(writing_);
  std::optional<Pending> pending;
  {
    const MutexLock guard(mutex_);
    pending = pending_;
  }
  const uint64_t began_us = steady_us();
  if (!pending || !stores_.keep_membership(pending->history).ok()) return;
  const uint64_t took_ms = (steady_us() - began_us) / 1000;
  if (took_ms >= kSlowMs) {
    log_warning(
        "the disk took {} ms to keep the membership: requests for partitions that move "
        "wait for it",
        took_ms);
  }
  {
    const MutexLock guard(mutex_);
    if (pending_ && pending_->number == pending->number) pending_.reset();
  }
  history_.kept(pending->number);
}

void NodeMembership::fold() {
  const MutexLock one_at_a_time(writing_);
  if (!stores_.is_durable()) return;
  // Where it fails the log is read at the next start.
  (void)stores_.fold_membership(*history_.history());
}

void NodeMembership::look() {
  tell_address();
  const MutexLock guard(mutex_);
  if (pending_) stores_.run_on_store_thread([this] { write_pending(); });
}

void NodeMembership::on_view() {
  std::shared_ptr<const cluster::History> before, after;
  {
    const MutexLock guard(mutex_);
    after = history_.history();  // of two threads here the later one has the later
    before = std::exchange(told_, after);
  }
  log_changes(*before, *after);
  if (waits() && view()->is_member()) anew_.store(true, std::memory_order_release);
  callbacks_.on_view();
}

void NodeMembership::log_changes(const cluster::History& before,
                                 const cluster::History& after) const {
  const std::shared_ptr<const cluster::ClusterView> now = view();
  for (const auto& [id, change] : after.changes()) {
    if (before.changes().contains(id)) continue;
    log_info("membership: {} (wished at {})", change_text(*now, change), name_of(*now, id.origin));
  }
  for (const cluster::NodeId node : after.gone()) {
    if (before.is_gone(node)) continue;
    log_info("membership: {} left, and holds nothing any more", name_of(*now, node));
  }
  for (const uint32_t partition : after.other_facts(before)) {
    for (const cluster::Fact& fact : after.facts_of(partition)) {
      if (fact.kind != cluster::FactKind::kLost) continue;
      if (before.facts_of(partition).contains(fact)) continue;
      log_error(
          "partition {}: writes may be LOST, for every copy of one may have been on nodes "
          "that were removed",
          partition);
    }
  }
}

MovesStatus NodeMembership::moves(const cluster::ClusterView& of,
                                  uint8_t background_percent) const {
  MembersSeen seen;
  seen.reachable.resize(of.members.size());  // asked for rows alone
  const bool looks = !of.moving.empty() && callbacks_.is_reachable;
  for (size_t at = 0; looks && at < seen.reachable.size(); ++at) {
    seen.reachable[at] = callbacks_.is_reachable(static_cast<cluster::MemberIndex>(at));
  }
  seen.told = told_copies_.by_member(of.members.size());
  cluster::HeldCopies own = cluster::own_held_copies(of, stores_.objects());
  own.background_percent = background_percent;
  if (of.is_member()) {
    seen.told[of.self] = std::make_shared<const cluster::HeldCopies>(std::move(own));
  }
  return moves_of(of, *history_.history(), seen);
}

KeptMembership NodeMembership::kept() const {
  KeptMembership kept;
  const cluster::NodeId known_as = known_as_.load();
  kept.id = known_as != 0 ? known_as : self_.id;
  kept.node_name = self_.config.node.name;
  kept.founded = founded();
  {
    const MutexLock guard(mutex_);
    if (yields_to_.version != 0) kept.founded = yields_to_;
  }
  cluster::History known = *history_.history();
  if (known.changes().empty()) return kept;
  kept.founded = {known.founding().placement, true};
  kept.history = std::move(known);
  return kept;
}

// A change carries the founding with it.
FoundedPlacement NodeMembership::founded() const {
  if (waits()) return {};
  return {self_.founded.version, founding_is_firm_.load() || view()->is_changed()};
}

void NodeMembership::on_same_founding(cluster::NodeId member, bool is_firm) {
  if (waits() || founding_is_firm_ || view()->is_changed()) return;
  {
    const MutexLock guard(mutex_);
    met_.insert(member);
    const bool all_met = met_.size() + 1 >= self_.view->members.size();
    if (!is_firm && !all_met) return;
  }
  if (founding_is_firm_.exchange(true)) return;
  log_info("the cluster was founded with placement {}", self_.founded.version);
  if (stores_.is_durable()) stores_.run_on_store_thread([this] { write_founding(); });
}

// On a store thread. What fails is found out anew at the next start.
void NodeMembership::write_founding() {
  const MutexLock one_at_a_time(writing_);
  if (!cluster::is_raised_placement(self_.founded.version)) return;
  const bool has_changes = !history_.history()->changes().empty();  // they are in the file
  if (has_changes || !stores_.write_founding(true).ok()) return;
  log_debug("membership: the founding is kept");
}

void NodeMembership::on_founded_as(const FoundedPlacement& theirs) {
  if (founded().is_firm || anew_) return;
  log_info("the cluster was founded with placement {}, this node began with {}", theirs.version,
           self_.founded.version);
  {
    const MutexLock guard(mutex_);
    yields_to_ = theirs;
  }
  anew_.store(true, std::memory_order_release);
}

void NodeMembership::on_known_as(cluster::NodeId id) {
  if (!waits() || id == self_.id || anew_) return;
  log_info("the members know this node's name by id {:016x}: it begins anew as that one", id);
  known_as_ = id;
  anew_.store(true, std::memory_order_release);
}

void NodeMembership::on_waiting(const cluster::Member& node) { waiting_.note(node, steady_us()); }

std::vector<cluster::Member> NodeMembership::waiting_nodes() {
  std::vector<cluster::Member> nodes = waiting_.list(steady_us());
  const std::shared_ptr<const cluster::ClusterView> now = view();
  std::erase_if(nodes, [&](const cluster::Member& node) {
    return now->find_id(node.id) != cluster::kNoMember;
  });
  return nodes;
}

// Of the founding alone files say what the nodes are; where they do not agree, or copies still
// follow a former file, nothing else may change.
std::string NodeMembership::why_blocked(const cluster::ClusterView& view) const {
  if (view.is_changed()) return {};
  const cluster::Agreement* const agreement = copies_.agreement();
  if (agreement == nullptr) return {};
  const std::vector<std::string> problems = agreement->problems();
  if (!problems.empty()) return "configurations differ: " + problems.front();
  if (!agreement->in_force()) {
    return "most founding members have not been started yet, or not with this configuration";
  }
  if (!copies_.former().any()) return {};
  return "copies still follow a former configuration; wait until `kvorum status` says settled";
}

Result<WishedChanges> NodeMembership::changes_of(const MembershipWish& wish) const {
  const std::shared_ptr<const cluster::ClusterView> now = view();
  const WishPlace place{*now,
                        [this](std::string_view name) { return waiting_.find(name, steady_us()); },
                        callbacks_.is_reachable,
                        why_blocked(*now),
                        self_.config.engine.eviction != engine::EvictionPolicy::kNone,
                        callbacks_.spoken_version};
  return make_changes(wish, place);
}

ChangePlan NodeMembership::plan_of(const MembershipWish& wish, const cluster::History& history,
                                   const WishedChanges& wished) const {
  ChangePlan plan = plan_changes(history, wished.changes, copy_size());
  plan.wish = wish_text(wish);
  plan.lines = wished.lines;
  plan.is_empty = wished.changes.empty();
  return plan;
}

// Of the copies that this node has: those of the others are alike.
CopySize NodeMembership::copy_size() const {
  const std::shared_ptr<const cluster::ClusterView> now = view();
  const engine::ObjectTable& table = stores_.objects();
  double copies = 0, keys = 0;
  for (uint32_t partition = 0; partition < now->ring.partitions(); ++partition) {
    bool held = false;
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      held |= now->is_primary(now->self, keyspace, partition);
      keys += static_cast<double>(table.record_count(keyspace, partition));
    }
    copies += held;
  }
  if (copies == 0 || keys == 0) return {};
  return {keys / copies, static_cast<double>(table.memory_bytes()) / copies};
}

Result<ChangePlan> NodeMembership::plan(const MembershipWish& wish) {
  const auto wished = changes_of(wish);
  if (!wished.ok()) return wished.status();
  return plan_of(wish, *history_.history(), wished.value());
}

// A change comes after all that its author knew.
cluster::ChangeId NodeMembership::next_id() {
  const Hlc above{history_.highest_change().value + 1};
  return {std::max(stores_.clock().tick(self_.wall_ms()), above), self_.id};
}

Result<TakenWish> NodeMembership::take(const MembershipWish& wish, const std::string& based_on) {
  const MutexLock guard(taking_);
  const auto wished = changes_of(wish);
  if (!wished.ok()) return wished.status();
  TakenWish taken;
  taken.plan = plan_of(wish, history_.known(), wished.value());
  if (!based_on.empty() && based_on != taken.plan.based_on) {
    return Status(Code::kOutOfRange, "the membership has changed since the plan was made");
  }
  for (Change change : wished.value().changes) {
    change.id = next_id();
    history_.add(change);
    if (!history_.known().changes().contains(change.id)) {
      return Status(Code::kNoSpace, "the membership history is full");
    }
    taken.change = change.id;
  }
  if (taken.plan.is_empty) return taken;
  log_info("membership: {} was wished here: {} of {} partitions move", taken.plan.wish,
           taken.plan.partitions_moving, taken.plan.partitions);
  return taken;
}

bool NodeMembership::has_effect(const cluster::ChangeId& change) {
  return change == cluster::ChangeId{} || history_.history()->changes().contains(change);
}

// A node that was moved is found at its new address: its file says where it listens.
void NodeMembership::tell_address() {
  const std::shared_ptr<const cluster::ClusterView> now = view();
  if (waits() || !now->is_changed() || !now->takes_part()) return;
  const cluster::Endpoint own = self_.peer_address();
  if (now->members[now->self].peer == own || is_wildcard_host(own.host)) return;
  if (address_told_.exchange(true)) return;
  const MutexLock guard(taking_);
  Change change;
  change.kind = ChangeKind::kAddress;
  change.member = self_.id;
  change.described = self_.described();
  change.id = next_id();
  history_.add(change);
}

}  // namespace kvorum::server
