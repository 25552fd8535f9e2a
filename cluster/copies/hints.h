// SPDX-License-Identifier: Apache-2.0
// Hints: writes kept here for a primary that could not be reached (paper 4.6), in an ObjectTable of
// their own with a store of its own: the directory `hints` of the node's data, or nothing where the
// engine is memory. A hint's name there is [target node u64][keyspace u8][key], so a second hint
// for one target and key merges into the first. One per node, shared by its reactors: any thread.
//
// Hints are all in memory as well: their bytes are bounded by `limits.hints`. Past it new hints are
// refused, and an old one is never given up for them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/copies/hint_ledger.h"
#include "cluster/ring/member.h"
#include "cluster/version/object_codec.h"
#include "engine/table/object_table.h"

namespace kvorum::cluster {

struct HintKey {
  NodeId target = 0;
  KeyRef key;  // of the object, borrowed
};

struct HintOptions {
  Partitioner partitioner = Partitioner::kMd5;  // of the objects' keys
  uint64_t bytes_max = 0;                       // 0: no bound
};

class Hints {
 public:
  using Shown = FunctionRef<void(const HintKey& hint, const Object& object)>;

  // Options of a table for hints: names are placed by MD5 whatever the cluster's partitioner is,
  // and all of them stay in memory.
  static engine::TableOptions table_options(uint64_t hash_seed);

  Hints(engine::ObjectTable* table, AuthorTable* authors, const HintOptions& options)
      : table_(table), authors_(authors), options_(options), ledger_(options.bytes_max) {}

  // At start, once the table was read from its store: finds every hint again.
  void recover();

  // Runs fn on the hint's record under its lock; what fn leaves in it is stored. fn returns whether
  // it changed anything. kFull where the quota is reached, kRefused where the store failed. The
  // hint is kept under the sync policy once committed() has reached the ticket.
  engine::UpdateResult update(const HintKey& hint, FunctionRef<bool(Record& record)> fn);
  // Merges an object into the hint for a target.
  engine::UpdateResult store(const HintKey& hint, const Object& object);
  // The same for one that is here already, under another target: the quota does not apply.
  engine::UpdateResult store_moved(const HintKey& hint, const Object& object);
  engine::Ticket committed() const { return table_->commits().committed(); }
  bool failed() const { return table_->store_health().failed(); }

  // fn is called with the record, if there is one.
  void read(const HintKey& hint, FunctionRef<void(const Record& record)> fn) const;
  // Removes the hint if its object has nothing beyond this vector: the target has all of it.
  // Returns whether it is gone.
  bool remove_delivered(const HintKey& hint, const VersionVector& delivered);

  // Shows the first hint for the target behind `place`, oldest first, and moves `place` to it.
  // From the first on where `place` is empty. False where there is none.
  bool show_next(NodeId target, std::optional<HintPlace>* place, Shown fn) const;
  // Shows all of them, by target, oldest first.
  void walk(Shown fn) const;

  // Whether new hints of so many bytes would be taken now; a no counts as a refusal.
  bool has_room_for(uint64_t bytes) { return ledger_.has_room_for(bytes) && !failed(); }
  uint64_t pending() const { return ledger_.count(); }
  HintLedger& ledger() { return ledger_; }
  const HintLedger& ledger() const { return ledger_; }

 private:
  engine::UpdateResult change(const HintKey& hint, FunctionRef<bool(Record& record)> fn,
                              bool bounded);

  engine::ObjectTable* const table_;
  AuthorTable* const authors_;
  const HintOptions options_;
  HintLedger ledger_;
};

}  // namespace kvorum::cluster
