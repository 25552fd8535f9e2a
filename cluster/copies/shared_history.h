// SPDX-License-Identifier: Apache-2.0
// The membership history of a node, as its reactors share it (docs/MEMBERSHIP.md): what is known,
// what of it is kept on disk and has an effect, and the view that follows from that. What is new is
// kept first: a vote that a crash would forget must not have been heard by anybody.
//
//   add(), merge() --> known --keeper: on disk, kept()--> in effect: a later view --> on_view
//
// Each reactor looks at generation() once a turn, and publishes view() to its machines where it is
// a later one; is_adopted() tells when all of them have. Any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/frontier/whole_replicas.h"
#include "cluster/history/history.h"
#include "cluster/history/history_delta.h"
#include "cluster/history/history_view.h"
#include "cluster/history/set_placement.h"
#include "cluster/ring/cluster_view.h"

namespace kvorum::cluster {

// Nothing is owned; all outlive it.
struct SharedHistoryParts {
  NodeId self = 0;
  size_t reactors = 1;
};

class SharedHistory {
 public:
  // `number` counts what is to be kept; kept() says so afterwards, from any thread but not from
  // within the call.
  using Keeper = std::function<void(uint64_t number, std::shared_ptr<const History> history)>;

  // `first` is the view that the machines begin with: of this history, or of the file where it has
  // no changes.
  SharedHistory(const SharedHistoryParts& parts, History history,
                std::shared_ptr<const ClusterView> first);

  // Before any machine runs: copies that this node comes to own are not whole, nor are those that
  // it is about to fill.
  void set_whole(WholeReplicas* whole);
  // What a copy lacks is no trouble where it is none: whole, unless this node owns it by the view
  // of now. Reactors may still work by an earlier one.
  void forgive(uint8_t keyspace, uint32_t partition);
  // Before any machine runs. Without a keeper everything has its effect at once.
  void set_keeper(Keeper keeper) { keeper_ = std::move(keeper); }
  // Called with no lock held when view() is another one.
  void set_on_view(std::function<void()> on_view) { on_view_ = std::move(on_view); }

  void add(const Change& change);
  void add(const std::vector<Fact>& facts);
  // All that another node knows.
  void merge(const History& other);
  // encode_difference() of another node. False where it is malformed.
  bool merge_difference(std::string_view bytes);
  // Everything up to this number is on disk.
  void kept(uint64_t number);

  // With what has no effect yet.
  History known() const;
  // Of what is in effect.
  std::shared_ptr<const History> history() const;
  std::shared_ptr<const ClusterView> view() const;
  // Of the sets that are known, for who asks for more than the view says: to find one takes a
  // while.
  SetPlacements placements() const;
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  // Above every change that is known, in effect or not.
  Hlc highest_change() const;
  void adopt(size_t reactor, uint64_t generation);
  // All reactors work by this view, or a later one.
  bool is_adopted(const ClusterView& view) const;

 private:
  // fn(known_) tells whether it changed something.
  template <class Fn>
  void change_known(Fn fn);
  // What is to be called once the lock is free stands in to_keep_ and viewed_.
  void changed() KVORUM_REQUIRES(mutex_);
  void take_effect() KVORUM_REQUIRES(mutex_);
  void find_placement();
  void forgive_unowned() KVORUM_REQUIRES(mutex_);
  bool is_owned(uint8_t keyspace, uint32_t partition) const KVORUM_REQUIRES(mutex_);
  void note_owned(const ClusterView& before, const ClusterView& after);
  void call_back();

  const SharedHistoryParts parts_;
  WholeReplicas* whole_ = nullptr;  // null: no copies are told apart
  Keeper keeper_;
  std::function<void()> on_view_;
  std::vector<std::atomic<uint64_t>> adopted_;
  std::atomic<uint64_t> generation_;
  mutable Mutex mutex_;
  SetPlacements placements_ KVORUM_GUARDED_BY(mutex_);
  History known_ KVORUM_GUARDED_BY(mutex_);
  std::shared_ptr<const History> effective_ KVORUM_GUARDED_BY(mutex_);
  std::shared_ptr<const ClusterView> view_ KVORUM_GUARDED_BY(mutex_);
  // What is being kept, and what comes into effect then.
  uint64_t keeping_ KVORUM_GUARDED_BY(mutex_) = 0;  // 0: nothing is
  uint64_t numbers_ KVORUM_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<const History> next_ KVORUM_GUARDED_BY(mutex_);
  std::shared_ptr<const History> to_keep_ KVORUM_GUARDED_BY(mutex_);
  bool viewed_ KVORUM_GUARDED_BY(mutex_) = false;  // on_view_ is to be called
};

}  // namespace kvorum::cluster
