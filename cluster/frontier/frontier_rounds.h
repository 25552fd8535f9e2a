// SPDX-License-Identifier: Apache-2.0
// The rounds of the frontier protocol: in each, every member reports a hash of what it believes
// (view, flush marks, everybody's run) and one HLC; it reports round r + 1 only after it has
// seen all of round r. A round whose hashes are equal moves the frontier to the least of its HLCs.
// A pure table: reports come in from gossip in any order and any number of times. Private to the
// frontier protocol (frontier_protocol.h), which locks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cluster/ring/member.h"

namespace kvorum::cluster {

struct FrontierReport {
  uint64_t round = 0;  // 0: none yet
  uint64_t hash = 0;
  Hlc least;  // zero: this member cannot vouch for anything yet
};

// What is known of one member. Of two entries the one with the higher sequence is newer, then the
// one whose latest round is: a member that starts anew takes a sequence above its last one's.
struct FrontierEntry {
  NodeId node = 0;
  uint64_t run = 0;
  uint64_t sequence = 0;
  FrontierReport last, previous;
};

class FrontierRounds {
 public:
  // `members`: all that have to report, this node among them.
  FrontierRounds(std::vector<NodeId> members, NodeId self, uint64_t run);

  // Who has to report from now on, this node among them: of others nothing is known any more.
  void set_members(std::vector<NodeId> members);

  // What another node knows. True where it brought anything new.
  bool merge(const FrontierEntry& entry);
  bool merge_encoded(std::string_view bytes);  // false: malformed, nothing was merged
  void encode(std::string& out) const;
  // Of the members with these ids alone.
  void encode_of(std::span<const NodeId> nodes, std::string& out) const;
  // What this node knows and the other one, whose encode() that is, does not; false: malformed.
  bool encode_newer(std::string_view theirs, std::string& out) const;
  // Of encode(): two that know the same of the same members have the same.
  uint64_t digest() const;

  // A new run of this node: its copies are no longer what they were.
  void begin_run(uint64_t run);
  uint64_t run() const { return own().run; }
  uint64_t run_of(NodeId node) const;
  // The highest HLC that earlier runs of this node vouched for, as others remember it.
  Hlc vouched_before() const { return vouched_before_; }

  // Every member has reported this node's latest round. `agreed` where the hashes are equal.
  struct Ended {
    uint64_t round = 0;
    bool agreed = false;
    Hlc least;
  };
  std::optional<Ended> ended() const;
  // This node's report of the next round; to be called once ended() says so, or for the first one.
  void report(uint64_t hash, Hlc least);
  uint64_t round() const { return own().last.round; }
  // Another member has reported a later round.
  bool is_behind() const;

  // Who did not report this node's latest round yet.
  std::vector<NodeId> awaited() const;

 private:
  FrontierEntry& own() { return entries_[self_]; }
  const FrontierEntry& own() const { return entries_[self_]; }
  const FrontierEntry* find(NodeId node) const;
  static const FrontierReport* report_of(const FrontierEntry& entry, uint64_t round);

  std::vector<FrontierEntry> entries_;  // by id
  size_t self_ = 0;
  Hlc vouched_before_;
};

}  // namespace kvorum::cluster
