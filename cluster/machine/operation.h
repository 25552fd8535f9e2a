// SPDX-License-Identifier: Apache-2.0
// What a coordinator has under way, in pools whose objects are used again. A client's request is an
// Operation: a head that says who waits and for how long, and the state of each machine that may
// have it in turn, since a request that was forwarded can come to be run here, and the other way
// round. What waits for a load or is sent in the background is an operation of its own kind, with a
// pool of its own (OperationPool). Private to cluster/.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "cluster/machine/tallies.h"
#include "cluster/version/held_object.h"
#include "cluster/version/object_codec.h"
#include "cluster/wire/forward_messages.h"
#include "cluster/wire/link_index.h"
#include "cluster/wire/replica_messages.h"

namespace kvorum::cluster {

// The tags of the pools: an id says which machine knows it.
enum class OperationPool : uint8_t { kRequests, kReplicaFrames, kHintReplays, kKeyRepairs };
inline constexpr size_t kOperationPools = 4;

// What of an operation is known to those who send its object, count what it holds and see its bytes
// flow.
struct OperationHead {
  uint64_t started_us = 0;
  uint64_t deadline_us = 0;
  uint64_t flowed_us = 0;  // when bytes of a large frame of it flowed last; 0: none did
  size_t large_bytes = 0;  // of the object that its replicas have to take; 0: it is not large
  size_t held_bytes = 0;   // as Core::count_held() counted it last
  EncodedObject object;    // what is to be written, or was read from a peer

  void reset(Now now) {
    started_us = now.steady_us;
    deadline_us = 0;
    object.clear();
    large_bytes = 0;
    flowed_us = 0;
  }
};

// A key with its bytes, for operations that outlive the input which named it.
struct OwnedKey {
  std::string bytes;
  KeyRef key;  // a view of `bytes`

  void assign(const KeyRef& other) {
    bytes.assign(other.key);
    key = KeyRef{bytes, other.position, other.keyspace};
  }
};

// The reading of a get, or of a put before its edit.
struct Reading {
  uint64_t digest = 0;  // of what is held: versions_digest()
  Hlc frontier;         // the highest of the copies merged
  NodeId fastest = 0;   // who answered first
  uint64_t asked_us = 0;
  uint64_t settles_until_us = 0;  // stragglers are waited for
  uint8_t attempt = UINT8_MAX;    // counts readings; the first one makes it 0
  uint8_t contentions = 0;        // and how often they were in vain
  uint8_t flux_readings = 0;      // and those for Core::reads_again()
  uint8_t apart = 0;              // answers by those who knew another history
  uint8_t repairs_open = 0;       // that are not acknowledged
  bool own_unreadable = false;    // the own copy cannot be loaded: the others have to do
  bool hedged = false;            // one more was asked, once
  bool contested = false;         // as some replica says: siblings may be none
  ReadTally tally;
  HeldObject held;  // what is merged so far

  void reset();
};

// A put from its edit on.
struct Writing {
  WriteTally tally;
  InlineVector<MemberIndex, 4> dead;  // primaries that nobody stands for
  engine::Ticket ticket = 0;          // of the own vote
  uint64_t asked_us = 0;
  bool own_vote_open = false;    // the own copy awaits its commit
  bool own_vote_hinted = false;  // it is a hint: the ticket is of the hints' table
  bool blind = false;
  bool second_write_done = false;
  bool was_stored = false;
  bool saw_siblings = false;  // when the edit was run
  bool late = false;    // an edit that was made before its owners were those that are asked now
  bool beside = false;  // and one of them has another edit beside it
  bool awaits_owner = false;  // the version is made, and waits with kLinking for an owner of today
  uint8_t hints_left = 0;
  uint8_t apart = 0;        // as in Reading
  VersionVector uncovered;  // what replicas kept that a blind write did not cover
  Context new_context;      // where the request wants it
  EditOutput edit;          // its reply's bytes are in reply_storage
  std::string reply_storage;
  SharedBytes made;  // the bytes of the new version, where the edit made large ones

  void reset();
};

// The claim of an edit on its key (claims.h).
struct Claiming {
  uint8_t quorum = 0;                  // primaries that have to grant it; 0: none is wanted
  bool own = false;                    // it is in this node's own Claims
  InlineVector<MemberIndex, 4> asked;  // and neither refused nor released
  bool waited = false;                 // for those who are silent, long enough
  bool given_up = false;               // a blind write that waited for half of its time
  uint64_t until_us = 0;               // a version may be made until then
  MemberIndex holder = kNoMember;      // who has it instead

  void reset();
};

// The way of a request among coordinators.
struct Route {
  InlineVector<MemberIndex, 4> tried;  // the last is waited for
  // The first of `tried`, so many: their stores took nothing, so they ran nothing.
  uint8_t refusals = 0;
  uint8_t hops = 0;
  bool retried = false;  // the node that forwarded it had asked another one before

  void reset();
};

// A request that another node coordinates.
struct Handing {
  uint64_t asked_us = 0;  // the last of Route::tried; a retry: for its permit
  // Of `tried`: have a permit to run the request, and may have stored a version of it, or will.
  InlineVector<MemberIndex, 4> permitted;
  MemberIndex hedge = kNoMember;  // asked beside the last of `tried`, and waited for too
  uint64_t hedged_us = 0;
  bool hedged = false;  // one more was asked, once
  bool quarter_passed = false;
  bool holds_answer = false;  // one before it answered: its reply is kept
  FrameHead answer_head{};
  std::string answer;

  void reset();
};

// KV.INSPECT: an operator's question, rare.
struct Inspection {
  Targets targets;
  std::vector<ReplicaFacts> replicas;
  std::deque<std::string> objects;  // their bytes
};

// One request in flight, as its coordinator or its forwarder sees it.
struct Operation : OperationHead {
  // The machine that has it.
  enum class Kind : uint8_t {
    kGet,
    kPut,
    kForward,
    kInspect,
    kAwaitsPermit  // a retry that asked whether it may run (retry_permit.h)
  };
  static constexpr size_t kKinds = 5;
  enum class Phase : uint8_t {
    kLoading,    // waits for an object from the store, then starts again
    kHeld,       // put: not begun, this node is about to hand over what it coordinates
    kSilent,     // put: waits until this run has heard from another member (first_contact.h)
    kLinking,    // get, put: waits for the first link to an owner that came just now
    kContended,  // another node edits the key: begins again in a moment
    kReading,    // get: until R counted; put: its read before the edit
    kWriting,    // put: until W acknowledged; forward: until the answer
    kSettling,   // answered; stragglers are still awaited, for read repair or for hints
    kRepairing,  // get: repairs are not all acknowledged
  };
  Kind kind = Kind::kGet;  // set by turn_into() alone
  uint8_t had = 0;         // by kind: the machines that had it since begin()
  Phase phase = Phase::kReading;

  // Who waits: a local client (tag), or the node that forwarded (reply_to, reply_operation).
  bool remote = false;
  bool answered_client = false;
  bool payload_is_encoded = false;
  uint8_t keyspace = 0;
  LinkIndex reply_to;
  SlotId reply_operation = 0;
  uint64_t tag = 0;
  Reading reading;

  // What the request is a view of: its bytes one after the other, or encode_forwarded() where it
  // comes from another node or goes to one. What is large of it is shared: the value, or all of it.
  std::string payload;
  SharedView payload_body;
  ForwardedRequest forwarded;
  Route route;
  std::unique_ptr<Inspection> inspection;  // kInspect

  // Of the machines, as `reading` is: those of one that never had the operation are as new.
  // Resetting them all would bring two kilobytes into the cache for each request.
  Claiming claim;
  Writing writing;
  Handing handing;

  size_t payload_size() const { return payload.size() + payload_body.bytes.size(); }
  const Request& request() const { return forwarded.request; }
  // Another coordinator was asked before, of which it is not known whether it ran the request.
  bool is_retry() const { return route.retried || route.tried.size() > route.refusals; }
  // All of it is as new, but for the memory that it keeps. No machine has it yet.
  void begin(Now now);
  void begin(Kind first, Now now) {
    begin(now);
    turn_into(first);
  }
  // Before another machine gets it.
  void turn_into(Kind next) {
    kind = next;
    had |= bit(next);
  }
  bool was_read() const { return had & (bit(Kind::kGet) | bit(Kind::kPut)); }
  bool was_put() const { return had & bit(Kind::kPut); }
  bool was_handed() const { return had & (bit(Kind::kForward) | bit(Kind::kAwaitsPermit)); }
  // Starts fetching what a begin writes, or an answer of a read or of a write looks at.
  void prefetch_begin() const;
  void prefetch_reading() const;
  void prefetch_writing() const;
  // What clients sent and replicas answered, as far as it is kept.
  size_t bytes() const;

 private:
  static constexpr uint8_t bit(Kind machine) { return 1U << static_cast<int>(machine); }
};

// How long to wait before who knew another history is asked again; counts how often that was.
inline uint64_t apart_pause_us(uint8_t& apart) {
  constexpr uint64_t kPauseUs = 500;
  constexpr uint8_t kDoublings = 6;
  const uint64_t pause_us = kPauseUs << (apart < kDoublings ? apart : kDoublings);
  if (apart < kDoublings) ++apart;
  return pause_us;
}

// What a replica said, with who said it.
template <class Reply>
struct Answered {
  MemberIndex from;
  const Reply& reply;
};

// How the commit that an operation of ours waited for ended.
struct OwnCommit {
  bool hinted;  // of the hints' table
  bool ok;
};

}  // namespace kvorum::cluster
