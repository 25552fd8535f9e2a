// SPDX-License-Identifier: Apache-2.0
// What this node holds of the keys' objects, as replica or for others: reading and changing its
// copies, minting their versions, forgetting what may go. A coordinator's; its reactor's thread
// alone, but the copies themselves are shared by all reactors and guarded by the table.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/function_ref.h"
#include "cluster/health/peer_health.h"
#include "cluster/own/counters.h"
#include "cluster/own/node_parts.h"
#include "cluster/ring/cluster_view.h"
#include "cluster/version/object_codec.h"
#include "cluster/wire/outbox.h"

namespace kvorum::cluster {

// A live key that an eviction of this node chose.
struct EvictedKey {
  std::string key;
  uint8_t keyspace = 0;
  uint64_t bytes = 0;  // of its value
  uint64_t deadline_ms = 0, written_ms = 0;
};

// A version that is no tombstone, whether it has expired or not.
bool has_value(const Object& object);

class OwnCopies {
 public:
  // All outlive it. `view` points to that of now, whenever it changes.
  struct Parts {
    const NodeParts& node;
    const std::shared_ptr<const ClusterView>& view;
    const PeerHealth& health;
    Outbox& outbox;
    CoordinatorCounters& counters;
  };
  explicit OwnCopies(const Parts& parts)
      : node_(parts.node),
        view_(parts.view),
        health_(parts.health),
        outbox_(parts.outbox),
        counters_(parts.counters) {}

  // Reads this node's copy (primary or not) with flush marks applied. fn gets the record, empty
  // where there is none.
  engine::Access read(const KeyRef& key, FunctionRef<void(Record& record)> fn);
  // All hints kept here for the key, merged. False where there is none.
  bool read_hints(const KeyRef& key, Object* object, std::string* storage);
  // The frontier of the own copy of the key's partition; zero where nothing is known.
  Hlc frontier_of(const KeyRef& key) const;
  // Changes the own copy under its lock: fn edits the record and says whether to store it.
  // A repair is taken even where memory is full: it was acknowledged somewhere.
  engine::UpdateResult update(const KeyRef& key, FunctionRef<bool(Record& record)> fn,
                              bool repair = false);

  // Merges an object that arrived into the own copy: what is dead by one of both frontiers is left
  // out (of `incoming` it is dropped), `lww` keeps the newest. `frontier`: of the copy that it came
  // from, zero where that is not known. REQUIRES: called by the fn of update(), for its record.
  struct Merging {
    size_t dead_of_incoming = 0, dead_of_own = 0;
  };
  Merging merge_in(Record& own, const KeyRef& key, Object& incoming, Hlc frontier);
  // The same for an object of another copy, with an update of its own: a repair.
  struct Taken {
    engine::UpdateResult result;
    bool grown = false;    // the own copy has more than before
    bool differs = false;  // and something that the other one lacks
  };
  Taken take_in(const KeyRef& key, const Object& theirs, Hlc frontier, Now now);
  // A new dot of this node for the record; notes the birth where it is a first one. In a keyspace
  // of the last write its HLC is above everything in `covered`: a node whose clock is slow must not
  // make an overwrite that is older than what it overwrites. A node's dots rise from one to the
  // next, so that the highest one that anybody saw says which it minted before (flush marks).
  Dot mint(Record& own, const Context& covered, bool lww, Now now);
  // The clock follows what others minted.
  void observe(const Object& object, Now now);
  // Keeps the bytes of a version that is dropped because it is dead, for a person to look at.
  void quarantine(const KeyRef& key, const Version& version);

  // The key's absence may be an eviction, by this copy or another one.
  bool may_be_evicted(uint8_t keyspace) const {
    return node_.table->evicts(keyspace) && view_->quorum(keyspace).n > 1;
  }
  // Evicts what may go (own_copies_evict.cc): before an update, where the table is crowded.
  void make_room();
  // Those that make_room() evicted, where that was wanted; and whether it is from now on.
  static constexpr size_t kEvictedToldMax = 16'384;  // between two calls; others are not told
  std::vector<EvictedKey> take_evicted(bool wanted) {
    tells_evicted_ = wanted;
    return std::exchange(evicted_keys_, {});
  }
  // Scratch memory that a large value took.
  void give_back_scratch();

 private:
  uint32_t partition_for(const KeyRef& key) const { return view_->ring.partition_of(key.position); }
  // Has the other primaries drop their copies of what was evicted here.
  void tell_evicted(const KeyRef& entry, Hlc frontier);
  void note_evicted(const KeyRef& entry);

  const NodeParts& node_;
  const std::shared_ptr<const ClusterView>& view_;
  const PeerHealth& health_;
  Outbox& outbox_;
  CoordinatorCounters& counters_;
  // Reused by each call.
  std::string record_head_;
  Record record_;
  Record evicted_;
  bool tells_evicted_ = false;
  std::vector<EvictedKey> evicted_keys_;
};

}  // namespace kvorum::cluster
