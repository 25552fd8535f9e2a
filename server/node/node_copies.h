// SPDX-License-Identifier: Apache-2.0
// What a node knows of its copies beside their objects: which of them count, which follow a former
// configuration, how far the frontier has come, what was lost. Judged once, when the stores were
// read; from then on the machines of the reactors keep it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/copies/lost_copies.h"
#include "cluster/frontier/frontier_protocol.h"
#include "cluster/own/node_parts.h"
#include "server/node/node_self.h"
#include "server/storage/node_stores.h"

namespace kvorum::server {

class NodeCopies {
 public:
  // Both outlive it.
  NodeCopies(const NodeSelf& self, NodeStores& stores) : self_(self), stores_(stores) {}
  NodeCopies(const NodeCopies&) = delete;

  // Which copies count from the first request on. REQUIRES: the stores were read, no reactor runs.
  void judge();
  // What of NodeParts stands here. REQUIRES: judge() was called.
  void add_to(cluster::NodeParts* parts);

  // Any thread, once judge() was called.
  bool is_judged() const { return whole_ != nullptr; }
  const cluster::WholeReplicas& whole() const { return *whole_; }
  cluster::WholeReplicas* mutable_whole() { return whole_.get(); }
  const cluster::FormerPlacements& former() const { return former_; }
  // Null: no member, or the membership history ruled at the start.
  const cluster::Agreement* agreement() const { return agreement_.get(); }
  const cluster::FrontierProtocol* frontier() const {
    return frontier_.get();
  }  // null: no other member

 private:
  void judge_whole();
  void mark_lost_roots();
  void judge_new();
  void agree();
  void on_agreement();
  bool has_peers() const { return self_.view->is_member() && !self_.is_alone(); }
  // Files say what the nodes are: the membership history has no change.
  bool goes_by_files() const { return self_.view->is_member() && !self_.view->is_changed(); }

  const NodeSelf& self_;
  NodeStores& stores_;
  std::unique_ptr<cluster::WholeReplicas> whole_;
  cluster::FormerPlacements former_;
  std::unique_ptr<cluster::Agreement> agreement_;
  std::unique_ptr<cluster::CleanExchanges> exchanges_;
  cluster::Claims claims_;
  std::unique_ptr<cluster::FrontierProtocol> frontier_;
  std::unique_ptr<cluster::LostCopies> losses_;  // where there are other copies

  Mutex agreement_lock_;
  // Of the agreement, in the log.
  std::vector<std::string> told_problems_ KVORUM_GUARDED_BY(agreement_lock_);
};

}  // namespace kvorum::server
