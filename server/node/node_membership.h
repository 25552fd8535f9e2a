// SPDX-License-Identifier: Apache-2.0
// The membership as a node has it: its history with what keeps it on disk, the nodes that wait to
// be admitted, and the desk where administrators say what they wish. Of a node that waits itself,
// how it learns that it was admitted, and of a founder, with which placement its cluster was
// founded (founded_placement.h): then the process begins anew (begins_anew()).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/copies/shared_history.h"
#include "server/membership/membership_desk.h"
#include "server/membership/moves_status.h"
#include "server/membership/waiting_nodes.h"
#include "server/node/node_copies.h"
#include "server/node/node_self.h"
#include "server/peers/peer_links.h"
#include "server/storage/node_stores.h"

namespace kvorum::server {

class NodeMembership final : public MembershipDesk, public AdmissionListener {
 public:
  // All outlive it.
  NodeMembership(const NodeSelf& self, NodeStores& stores, NodeCopies& copies);
  NodeMembership(const NodeMembership&) = delete;

  // What a node that waits is known by from now on, where its disk did not say so already.
  // REQUIRES: the stores are open.
  Status keep_waiting();
  // REQUIRES: the copies were judged, and no reactor runs. `on_view` is called when view() is
  // another one; `is_reachable` tells whether some reactor asks the member.
  struct Callbacks {
    std::function<void()> on_view;
    std::function<bool(cluster::MemberIndex member)> is_reachable;
    // Of the peer protocol, with all reactors; 0: some has no link.
    std::function<uint16_t(cluster::MemberIndex member)> spoken_version;
  };
  void begin(Callbacks callbacks);
  void add_to(cluster::NodeParts* parts) {
    parts->history = &history_;
    parts->told_copies = &told_copies_;
  }

  // Any thread.
  std::shared_ptr<const cluster::ClusterView> view() const { return history_.view(); }
  // With which placement the cluster was founded, as far as it is known.
  FoundedPlacement founded() const;
  // The node waited, and was admitted, or is known by another id; or the cluster was founded with
  // another placement: it is to begin with kept().
  bool begins_anew() const override { return anew_.load(std::memory_order_acquire); }
  KeptMembership kept() const;
  // `background_percent` is this node's own (HeldCopies). REQUIRES: the node serves.
  MovesStatus moves(const cluster::ClusterView& of, uint8_t background_percent) const;
  // Now and then: what could not be written is written again, a new address is made known.
  void look();
  // The node stops: what it keeps can be read by the release before as well.
  void fold();

  // MembershipDesk
  Result<ChangePlan> plan(const MembershipWish& wish) override;
  Result<TakenWish> take(const MembershipWish& wish, const std::string& based_on) override;
  bool has_effect(const cluster::ChangeId& change) override;
  std::vector<cluster::Member> waiting_nodes() override;
  // AdmissionListener
  void on_waiting(const cluster::Member& node) override;
  void on_known_as(cluster::NodeId id) override;
  void on_same_founding(cluster::NodeId member, bool is_firm) override;
  void on_founded_as(const FoundedPlacement& theirs) override;

 private:
  struct Pending {
    uint64_t number = 0;
    std::shared_ptr<const cluster::History> history;
  };

  bool waits() const { return !self_.view->is_member(); }
  void tell_differences() const;
  void keep(uint64_t number, std::shared_ptr<const cluster::History> history);
  void write_pending();
  void write_founding();
  void on_view();
  void log_changes(const cluster::History& before, const cluster::History& after) const;
  void tell_address();
  std::string why_blocked(const cluster::ClusterView& view) const;
  Result<WishedChanges> changes_of(const MembershipWish& wish) const;
  ChangePlan plan_of(const MembershipWish& wish, const cluster::History& history,
                     const WishedChanges& wished) const;
  CopySize copy_size() const;
  cluster::ChangeId next_id();

  const NodeSelf& self_;
  NodeStores& stores_;
  NodeCopies& copies_;
  Callbacks callbacks_;
  cluster::SharedHistory history_;
  cluster::ToldCopies told_copies_;
  WaitingNodes waiting_;
  std::atomic<bool> anew_{false};
  std::atomic<cluster::NodeId> known_as_{0};
  std::atomic<bool> address_told_{false};
  std::atomic<bool> founding_is_firm_;

  Mutex taking_;   // one wish after the other: each is planned for what the one before made
  Mutex writing_;  // the file has one writer at a time
  mutable Mutex mutex_;
  std::optional<Pending> pending_ KVORUM_GUARDED_BY(mutex_);                // to be written
  std::shared_ptr<const cluster::History> told_ KVORUM_GUARDED_BY(mutex_);  // in the log
  std::set<cluster::NodeId> met_ KVORUM_GUARDED_BY(mutex_);  // members of the same founding
  FoundedPlacement yields_to_ KVORUM_GUARDED_BY(mutex_);     // version 0: to none
};

}  // namespace kvorum::server
