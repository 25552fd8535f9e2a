// SPDX-License-Identifier: Apache-2.0
// What the machines of a node share: its tables, clock, authors, marks, and what it knows of its
// copies. Nothing is owned here; whoever holds NodeParts is outlived by them.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "cluster/copies/agreement.h"
#include "cluster/copies/claims.h"
#include "cluster/copies/hints.h"
#include "cluster/copies/shared_history.h"
#include "cluster/copies/told_copies.h"
#include "cluster/frontier/clean_exchanges.h"
#include "cluster/frontier/whole_replicas.h"
#include "cluster/health/background_budget.h"
#include "cluster/ring/former_placements.h"
#include "cluster/version/author_table.h"
#include "cluster/version/edit.h"
#include "cluster/version/flush_marks.h"
#include "cluster/version/hybrid_clock.h"
#include "engine/table/object_table.h"

namespace kvorum::cluster {

class FrontierProtocol;  // frontier_protocol.h

// Texts that belong to the cluster and are kept in memory alone: scripts, by their names. A node
// that lacks one asks the others. Any thread.
class SharedTexts {
 public:
  virtual ~SharedTexts() = default;
  // False where there is none of this name.
  virtual bool find(std::string_view name, std::string* text) = 0;
  virtual void drop_all() = 0;
};

// What all nodes keep, a map of which the newest entry of each name wins: libraries of functions.
// Nodes bring each other up to date when they meet (text_operations.h). Any thread.
class SharedLibraries {
 public:
  virtual ~SharedLibraries() = default;
  // Equal for those that have the same; 0 where there is nothing.
  virtual uint64_t digest() const = 0;
  virtual void put_all(std::string& out) const = 0;
  // False, with nothing merged, where the bytes are not what put_all() makes.
  virtual bool merge(std::string_view bytes) = 0;
};

// Shared by all machines of a node; outlives them. Nothing is owned.
struct NodeParts {
  engine::ObjectTable* table = nullptr;
  Hints* hints = nullptr;
  AuthorTable* authors = nullptr;
  HybridClock* clock = nullptr;
  FlushMarks* marks = nullptr;
  EditTable edits;
  uint64_t incarnation = 0;
  uint64_t digest_seed = 0;
  // Where it is set, the incarnation may change while the node runs: after a failed write of its
  // store, which may forget what was counted under the one before.
  const std::atomic<uint64_t>* renewed_incarnation = nullptr;

  FrontierProtocol* frontier =
      nullptr;                     // null: tombstones are kept for ever, and no version is dead
  WholeReplicas* whole = nullptr;  // null: all copies count as whole
  CleanExchanges* exchanges = nullptr;     // null: clean exchanges are not noted
  engine::LossListener* losses = nullptr;  // told where a tree proves a loss; null: nobody is
  Claims* claims = nullptr;                // null: edits are not claimed
  BackgroundBudget* budget = nullptr;  // null: background work is bounded by its own limits alone
  const FormerPlacements* former = nullptr;  // null: the configuration never changed
  Agreement* agreement = nullptr;            // null: all nodes have the same configuration
  SharedHistory* history = nullptr;          // null: the membership never changes
  ToldCopies* told_copies = nullptr;         // null: nobody is asked for what moves
  SharedTexts* texts = nullptr;              // null: there are none
  SharedLibraries* libraries = nullptr;      // likewise
  // While it holds, expired versions stay, unseen; null: they never do (DEBUG SET-ACTIVE-EXPIRE).
  const std::atomic<bool>* expiry_rests = nullptr;
  // Whether Outbox::changed is to be filled: somebody caches keys. Null: never.
  const std::atomic<bool>* told_changes = nullptr;

  bool tells_changes() const {
    return told_changes != nullptr && told_changes->load(std::memory_order_acquire);
  }

  bool is_whole(uint8_t keyspace, uint32_t partition) const {
    return whole == nullptr || whole->is_whole(keyspace, partition);
  }
  bool is_new(uint8_t keyspace, uint32_t partition) const {
    return whole != nullptr && whole->is_new(keyspace, partition);
  }
  // Some copies of the cluster still follow a former placement.
  bool is_moving() const { return former != nullptr && former->any(); }
  bool is_damaged(uint8_t keyspace, uint32_t partition) const {
    return whole != nullptr && whole->damage(keyspace, partition) != 0;
  }
  uint64_t current_incarnation() const {
    return renewed_incarnation ? renewed_incarnation->load(std::memory_order_acquire) : incarnation;
  }
};

}  // namespace kvorum::cluster
